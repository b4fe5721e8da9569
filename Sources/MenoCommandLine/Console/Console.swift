// C's `stdout` is a variable, but nothing changes it.
@preconcurrency import Foundation
import MenoErrors

#if canImport(Glibc)
    @preconcurrency import Glibc
#elseif canImport(Darwin)
    @preconcurrency import Darwin
#endif

/// Standard error: progress and messages. Results go to standard output.
enum Console {
    static func note(_ text: String) {
        tell("\(clearing)\(text)\n")
        hasProgress = false
    }

    /// Shows the prompt for user input.
    static func prompt() { ask("> ") }

    static func ask(_ question: String) { tell(question) }

    /// A closed terminal, or a log on a full disk, is no reason to end a run.
    private static func tell(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data(text.utf8)) }

    /// Writes part of a result immediately, for readers of a pipe; `print` would buffer it.
    static func result(_ text: String) throws {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw OutputError(reason: error.localizedDescription)
        }
    }

    /// Flushes standard output and checks that everything was written; `print` reports no failure.
    static func finishResult() throws {
        guard fflush(nil) == 0, ferror(stdout) == 0 else { throw OutputError(reason: String(cString: strerror(errno))) }
    }

    /// Whether standard error is a terminal in which a line can be overwritten.
    static let isTerminal =
        isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

    /// Shows a line that the next line replaces. It is cut to the width of the terminal, because a line that wraps
    /// could not be overwritten.
    static func progress(_ text: String) {
        var size = winsize()
        let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        tell("\(clearing)\(text.prefix(columns - 1))")
        hasProgress = true
    }

    private static var clearing: String { hasProgress ? "\r\u{1B}[2K" : "" }

    // Only the training thread writes lines while it trains.
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
            "standard output cannot be written (\(reason)); the result is incomplete. Is the disk full, or was the pipe closed?"
        )
    }
}
