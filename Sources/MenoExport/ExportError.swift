package import MenoErrors

/// What is wrong with an export. Its place is the file or folder.
package typealias ExportError = CodedError<ExportErrorCode>

/// What a ``ExportError`` is about.
package enum ExportErrorCode: String, ErrorCode {
    /// Something is at the place of the result already.
    case exists
    /// The format cannot hold the model or the adapter, or its options contradict each other.
    case unsupported
    /// What was written does not do what the trained model does.
    case differs
    /// The operating system refused a write.
    case cannotWrite

    package var kind: ErrorKind {
        switch self {
        case .exists, .unsupported: .badInput
        case .differs, .cannotWrite: .failed
        }
    }
}
