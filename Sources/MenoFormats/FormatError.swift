public import MenoErrors

/// An error in a model file. Its place is the file; the message names the key, the tensor or the byte offset.
public typealias FormatError = CodedError<FormatErrorCode>

/// The kinds of ``FormatError``.
public enum FormatErrorCode: String, ErrorCode {
    /// The path does not exist or cannot be opened.
    case notFound
    /// The file contradicts its format: it is truncated, damaged, or in another format.
    case malformed
    /// The file is valid, but contains something that Meno cannot read.
    case unsupported
    /// The operating system reported an error while reading or writing.
    case inputOutput

    /// The general kind of the error, for programs.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
