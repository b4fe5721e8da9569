/// What the monitor cannot work with: where, what was expected, and what to do.
public struct MonitorError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// A threshold that no run can be judged by.
        case invalidConfiguration
        /// A recorded run that is damaged, or no recorded run at all.
        case malformed
    }

    public var code: Code
    /// A configuration key, or a place in a file: `line 3, column 7`, `log_history[4].loss`.
    public var place: String?
    public var message: String
    /// What the user can do, when there is something.
    public var advice: String?

    public init(_ code: Code, place: String?, _ message: String, advice: String? = nil) {
        self.code = code
        self.place = place
        self.message = message
        self.advice = advice
    }

    public var description: String {
        [place.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}
