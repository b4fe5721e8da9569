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
        let url = folder.appending(path: "training_log_\(times.string(from: date)).log")
        if !FileManager.default.fileExists(atPath: url.path) { try Data().write(to: url) }
        file = try FileHandle(forWritingTo: url)
        try file.seekToEnd()
        times.dateFormat = "yyyy-MM-dd HH:mm:ss"
    }

    /// Adds a line. A log that cannot be written any more is no reason to stop a run.
    public func write(_ line: String, date: Date = Date()) {
        try? file.write(contentsOf: Data("\(times.string(from: date)) \(line)\n".utf8))
    }
}
