/// What is wrong with a configuration file or an override.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound
        /// The text is not YAML, a key is unknown, a value is impossible, or two contradict each other.
        case invalid
    }

    public var code: Code
    /// The file and line, or the option that the value came from.
    public var place: String?
    public var message: String
    /// What the user can do, when there is something.
    public var advice: String?

    public init(_ code: Code = .invalid, place: String?, _ message: String, advice: String? = nil) {
        self.code = code
        self.place = place
        self.message = message
        self.advice = advice
    }

    public var description: String {
        [place.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}
