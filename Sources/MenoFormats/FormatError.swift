public import MenoErrors

/// What is wrong with a model file. Its place is the file; the message names the key, the tensor or the byte offset.
public typealias FormatError = CodedError<FormatErrorCode>

/// What a ``FormatError`` is about.
public enum FormatErrorCode: String, ErrorCode {
    /// The path does not exist or cannot be opened.
    case notFound
    /// The file contradicts its format: truncated, mutated, or not of this format at all.
    case malformed
    /// The file is sound, but holds what Meno does not read (named, with what is supported).
    case unsupported
    /// The operating system refused a read or a write.
    case inputOutput

    /// What a program makes of the error.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
