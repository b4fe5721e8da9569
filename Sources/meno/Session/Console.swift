import Foundation
import MenoData

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Standard error: progress and remarks. Results go to standard output.
enum Console {
    static func note(_ text: String) {
        FileHandle.standardError.write(Data("\(clearing)\(text)\n".utf8))
        hasProgress = false
    }

    /// Whether standard error is a terminal, where a line can be written over.
    static let isTerminal = isatty(STDERR_FILENO) == 1

    /// Shows a line that the next one, of either kind, replaces. Too long for the terminal, it is cut: a line that wraps
    /// could not be taken back.
    static func progress(_ text: String) {
        var size = winsize()
        let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        FileHandle.standardError.write(Data("\(clearing)\(text.prefix(columns - 1))".utf8))
        hasProgress = true
    }

    private static var clearing: String { hasProgress ? "\r\u{1B}[2K" : "" }

    // Lines are written by the thread that trains; nothing else does while it trains.
    nonisolated(unsafe) private static var hasProgress = false

    /// What reading a data file found, with the first of the problems.
    static func data(_ report: DataReport, path: String, limit: Int = 10) {
        note("\(path): \(report.summary)")
        let leftOut = report.problems.filter { !$0.isUsed }
        for problem in leftOut.prefix(limit) { note("  \(problem.place) \(problem.reason)") }
        if leftOut.count > limit { note("  … and \(leftOut.count - limit) more") }
    }
}
