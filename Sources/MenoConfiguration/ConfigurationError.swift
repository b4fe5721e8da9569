public import MenoErrors

/// What is wrong with a configuration file or an override. Its place is the file and line, the key, or the option that the value came from.
public typealias ConfigurationError = CodedError<ConfigurationErrorCode>

/// What a ``ConfigurationError`` is about.
public enum ConfigurationErrorCode: String, ErrorCode {
    case notFound
    /// The text is not YAML, a key is unknown, a value is impossible, or two contradict each other.
    case invalid

    /// What a program makes of the error.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
