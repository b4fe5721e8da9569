internal import CTorch
public import MenoErrors

/// What libtorch refused to do, with its own message, without its C++ backtrace. Its place is the operator or function that failed.
public typealias TorchError = CodedError<TorchErrorCode>

/// What a ``TorchError`` is about.
public enum TorchErrorCode: String, ErrorCode {
    /// Shapes, element types or arguments that do not fit.
    case invalid
    /// The device's or the host's allocator refused. The computation can be tried again in smaller pieces.
    case outOfMemory
    /// Another process of the run has ended or hangs.
    case processLost
    /// The linked libtorch has no operator of this name.
    case unknownOperator

    /// What a program makes of the error.
    public var kind: ErrorKind { .failed }
}

/// Throws what a status reports; for a failed backward callback, the callback's own error.
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
