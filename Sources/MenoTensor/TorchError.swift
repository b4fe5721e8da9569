internal import CTorch

/// What libtorch refused to do, with its own message.
public struct TorchError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable {
        /// Shapes, element types or arguments that do not fit.
        case invalid
        /// The device's or the host's allocator refused. The computation can be tried again in smaller pieces.
        case outOfMemory
        /// The linked libtorch has no operator of this name.
        case unknownOperator
    }

    public var code: Code
    /// libtorch's message, without its C++ backtrace.
    public var message: String
    /// The operator or function that failed.
    public var operation: String

    public init(_ code: Code, _ message: String, operation: String) {
        self.code = code
        self.message = message
        self.operation = operation
    }

    public var description: String { "\(operation): \(message)" }
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
    case CT_OUT_OF_MEMORY: throw TorchError(.outOfMemory, message, operation: operation)
    case CT_UNKNOWN_OPERATOR: throw TorchError(.unknownOperator, message, operation: operation)
    case CT_CALLBACK_FAILED:
        if let error = CallbackErrors.take() { throw error }
        throw TorchError(.invalid, message, operation: operation)
    default: throw TorchError(.invalid, message, operation: operation)
    }
}
