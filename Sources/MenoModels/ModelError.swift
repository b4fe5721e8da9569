public import MenoErrors

/// What is wrong with a model or an adapter. Its place is the file or folder.
public typealias ModelError = CodedError<ModelErrorCode>

/// The kinds of ``ModelError``.
public enum ModelErrorCode: String, ErrorCode {
    /// No model at this path.
    case notFound
    /// The files contradict each other or the architecture: a tensor is missing or has the wrong shape, or the configuration is
    /// impossible.
    case malformed
    /// An architecture, a variant or a setting that Meno does not support.
    case unsupported
    /// An adapter or a prompt that does not fit the model.
    case mismatch

    /// The general kind of the error, for programs.
    public var kind: ErrorKind {
        self == .notFound ? .notFound : .badInput
    }
}
