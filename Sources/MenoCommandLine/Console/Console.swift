// C's `stdout` is a variable, which nobody changes.
@preconcurrency import Foundation
import MenoErrors

#if canImport(Glibc)
    @preconcurrency import Glibc
#elseif canImport(Darwin)
    @preconcurrency import Darwin
#endif

/// Standard error: progress and remarks. Results go to standard output.
enum Console {
    static func note(_ text: String) {
        tell("\(clearing)\(text)\n")
        hasProgress = false
    }

    /// Shows what a line that is typed comes after.
    static func prompt() { ask("> ") }

    static func ask(_ question: String) { tell(question) }

    /// A terminal that is gone, or a log on a full disk, is no reason to end a run.
    private static func tell(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

    /// Writes a part of a result at once, for those who wait for it through a pipe; `print` keeps it for a while.
    static func result(_ text: String) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw OutputError(reason: error.localizedDescription)
        }
    }

    /// Makes sure that all that was printed has arrived; `print` reports no failure.
    static func finishResult() throws {
        guard fflush(nil) == 0, ferror(stdout) == 0 else { throw OutputError(reason: String(cString: strerror(errno))) }
    }

    /// Whether standard error is a terminal where a line can be written over.
    static let isTerminal =
        isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    /// Shows a line that the next one, of either kind, replaces. Too long for the terminal, it is cut: a line that wraps
    /// could not be taken back.
    static func progress(_ text: String) {
        var size = winsize()
        let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        tell("\(clearing)\(text.prefix(columns - 1))")
        hasProgress = true
    }

    private static var clearing: String { hasProgress ? "\r\u{1B}[2K" : "" }

    // Lines are written by the thread that trains; nothing else does while it trains.
    nonisolated(unsafe) private static var hasProgress = false
}

/// A result that could not be written.
typealias OutputError = CodedError<OutputErrorCode>

enum OutputErrorCode: String, ErrorCode {
    case cannotWrite

    var kind: ErrorKind { .failed }
}

extension OutputError {
    init(reason: String) {
        self.init(
            .cannotWrite,
            "standard output cannot be written (\(reason)); the result is not complete. Is the disk full, or the reader gone?"
        )
    }
}
