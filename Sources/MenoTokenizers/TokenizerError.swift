public import MenoErrors

/// What is wrong with a tokenizer's file, or with what it was asked to do. Its place is the file.
public typealias TokenizerError = CodedError<TokenizerErrorCode>

/// What a ``TokenizerError`` is about.
public enum TokenizerErrorCode: String, ErrorCode {
    /// There is no such file, or it cannot be read.
    case notFound
    /// The file contradicts itself or its format.
    case malformed
    /// A kind of tokenizer that Meno does not compute (named, with what is supported).
    case unsupported
    /// A chat template does not take a conversation.
    case refused

    /// What a program makes of the error.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
