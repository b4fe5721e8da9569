public import MenoErrors

/// What is wrong with a model or an adapter. Its place is the file or folder.
public typealias ModelError = CodedError<ModelErrorCode>

/// What a ``ModelError`` is about.
public enum ModelErrorCode: String, ErrorCode {
    /// No model at this path.
    case notFound
    /// The files contradict each other or the architecture: a tensor missing or of the wrong shape, an impossible
    /// configuration.
    case malformed
    /// An architecture or a variant that Meno does not compute (named, with what is supported).
    case unsupported
    /// An adapter or a prompt that does not fit the model.
    case mismatch

    /// What a program makes of the error.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
