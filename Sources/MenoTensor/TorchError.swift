internal import CTorch
public import MenoErrors

/// An error of libtorch, with its message but without its C++ backtrace. Its place is the operator or function that failed.
public typealias TorchError = CodedError<TorchErrorCode>

/// The kinds of ``TorchError``.
public enum TorchErrorCode: String, ErrorCode {
    /// Shapes, element types or arguments do not fit.
    case invalid
    /// The device or the host is out of memory. The computation can be retried in smaller pieces.
    case outOfMemory
    /// Another process of the run has ended or is hanging.
    case processLost
    /// The linked libtorch has no operator of this name.
    case unknownOperator

    /// The general kind of the error, for programs.
    public var kind: ErrorKind { .failed }
}

/// Throws the error of a status; for a failed backward callback, the callback's error.
@inline(__always)
func check(_ status: ct_status, _ operation: @autoclosure () -> String) throws {
    if status.code == CT_OK { return }
    try fail(status, operation())
}

private func fail(_ status: ct_status, _ operation: String) throws {
    let message = String(cString: status.message)
    ct_string_free(status.message)
    switch status.code {
    case CT_OUT_OF_MEMORY: throw TorchError(.outOfMemory, at: operation, message)
    case CT_UNKNOWN_OPERATOR: throw TorchError(.unknownOperator, at: operation, message)
    case CT_CALLBACK_FAILED:
        if let error = CallbackErrors.take() { throw error }
        throw TorchError(.invalid, at: operation, message)
    default: throw TorchError(.invalid, at: operation, message)
    }
}
