public import MenoErrors

/// An error in a configuration file or an override. Its place is the file and line, the key, or the option that the value came
/// from.
public typealias ConfigurationError = CodedError<ConfigurationErrorCode>

/// The kinds of ``ConfigurationError``.
public enum ConfigurationErrorCode: String, ErrorCode {
    case notFound
    /// The text is not YAML, a key is unknown, a value is impossible, or two contradict each other.
    case invalid

    /// The general kind of the error, for programs.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
