public import Foundation

/// `logs/training_log_YYYYmmdd_HHMMSS.log`: what the console tells, with the time of every line.
public final class LogFile {
    private let file: FileHandle
    private let times = DateFormatter()

    /// - Parameters:
    ///   - folder: made where it is not there.
    ///   - date: of the beginning; it names the file.
    public init(in folder: URL, date: Date = Date()) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        times.locale = Locale(identifier: "en_US_POSIX")
        times.dateFormat = "yyyyMMdd_HHmmss"
        file = try FileHandle(forWritingTo: Self.make("training_log_\(times.string(from: date))", in: folder))
        times.dateFormat = "yyyy-MM-dd HH:mm:ss"
    }

    /// A file of its own, also where another run began in the same second: the name, or with _2, _3 and so on.
    private static func make(_ name: String, in folder: URL) throws -> URL {
        for attempt in 1... {
            let url = folder.appending(path: attempt == 1 ? "\(name).log" : "\(name)_\(attempt).log")
            do {
                try Data().write(to: url, options: .withoutOverwriting)
                return url
            } catch CocoaError.fileWriteFileExists {
                continue
            }
        }
        preconditionFailure("a name is free")
    }

    /// Adds a line. A log that cannot be written any more is no reason to stop a run.
    public func write(_ line: String, date: Date = Date()) {
        try? file.write(contentsOf: Data("\(times.string(from: date)) \(line)\n".utf8))
    }
}
