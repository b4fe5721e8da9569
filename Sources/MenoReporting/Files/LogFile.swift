package import Foundation

/// `logs/training_log_YYYYmmdd_HHMMSS.log`: what the console tells, with the time of every line.
package final class LogFile {
    private let file: FileHandle
    private let times = DateFormatter()

    /// - Parameters:
    ///   - folder: made where it is not there.
    ///   - date: of the beginning; it names the file.
    package init(in folder: URL, date: Date = Date()) throws {
        times.locale = Locale(identifier: "en_US_POSIX")
        times.dateFormat = "yyyyMMdd_HHmmss"
        let name = "training_log_\(times.string(from: date))"
        // Another run may have begun in the same second.
        let names = (1...).lazy.map { $0 == 1 ? "\(name).log" : "\(name)_\($0).log" }
        file = try FileHandle.newFile(in: folder, names: names)
        times.dateFormat = "yyyy-MM-dd HH:mm:ss"
    }

    /// Adds a line. A log that cannot be written any more is no reason to stop a run.
    package func write(_ line: String, date: Date = Date()) {
        try? file.write(contentsOf: Data("\(times.string(from: date)) \(line)\n".utf8))
    }
}
