import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Confirmation before something is downloaded or replaced.
enum Consent {
    /// Answers every question with yes, for scripts.
    static let variable = "MENO_ASSUME_YES"

    enum Answer {
        case yes, no
        /// There is no terminal to ask on.
        case unasked
    }

    /// - Parameter question: a yes-or-no question; an empty line means yes.
    static func ask(_ question: String) -> Answer {
        if let value = ProcessInfo.processInfo.environment[variable],
            !["", "0", "no", "false"].contains(value.lowercased())
        {
            return .yes
        }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return .unasked }
        Console.ask("\(question) [Y/n] ")
        guard let line = readLine() else { return .no }
        return ["", "y", "yes"].contains(line.trimmingCharacters(in: .whitespaces).lowercased()) ? .yes : .no
    }
}
