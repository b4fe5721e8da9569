internal import CTorch
internal import Synchronization

extension Tensor {
    /// Whether autograd records operations on this tensor. Can be set on leaves only.
    package var requiresGradient: Bool { ct_tensor_requires_grad(handle) }

    /// Turns gradients on or off for this leaf.
    @discardableResult package func requiringGradient(_ required: Bool = true) throws -> Tensor {
        try check(ct_tensor_set_requires_grad(handle, required), "requires_grad")
        return self
    }

    /// The gradient accumulated in this leaf so far.
    package func gradient() throws -> Tensor? {
        var result: OpaquePointer?
        try check(ct_tensor_grad(handle, &result), "grad")
        return result.map(Tensor.init(owning:))
    }

    /// Replaces the accumulated gradient; `nil` frees it.
    package func setGradient(_ gradient: Tensor?) throws {
        try check(ct_tensor_set_grad(handle, gradient?.handle), "grad")
    }

    /// Adds d(self · gradient)/dp to the gradient of every leaf p.
    /// - Parameter gradient: the output gradient, with this tensor's shape; `nil` means 1 and is valid for scalars only.
    /// - Throws: ``TorchError``, or the error of a ``customNode(inputs:outputs:backward:)`` closure.
    package func backward(gradient: Tensor? = nil) throws {
        var outputs: [OpaquePointer?] = [handle]
        var gradients: [OpaquePointer?] = [gradient?.handle]
        CallbackErrors.clear()
        let status = gradient == nil ? ct_backward(&outputs, nil, 1) : ct_backward(&outputs, &gradients, 1)
        try check(status, "backward")
    }

    /// d(Σ outputs · outputGradients)/d(inputs), without changing accumulated gradients.
    /// - Returns: one gradient for each input, `nil` where no output depends on it.
    package static func gradients(
        of outputs: [Tensor], outputGradients: [Tensor], withRespectTo inputs: [Tensor]
    ) throws -> [Tensor?] {
        precondition(outputs.count == outputGradients.count)
        var outputHandles: [OpaquePointer?] = outputs.map(\.handle)
        var gradientHandles: [OpaquePointer?] = outputGradients.map(\.handle)
        var inputHandles: [OpaquePointer?] = inputs.map(\.handle)
        var results = [OpaquePointer?](repeating: nil, count: inputs.count)
        CallbackErrors.clear()
        try check(
            ct_gradients(
                &outputHandles, &gradientHandles, Int64(outputs.count), &inputHandles, Int64(inputs.count), &results),
            "gradients")
        return results.map { $0.map(Tensor.init(owning:)) }
    }

    /// Gives `outputs`, which were computed without gradient, a custom derivative.
    /// - Parameters:
    ///   - inputs: what the outputs were computed from.
    ///   - outputs: results computed inside ``withoutGradient(_:)``.
    ///   - backward: maps the gradients of the outputs (`nil` where undefined) to those of the inputs (`nil`: none).
    ///     Called at most once, on the thread that runs the backward pass.
    /// - Returns: the outputs, as results of the new node.
    package static func customNode(
        inputs: [Tensor], outputs: [Tensor], backward: @escaping ([Tensor?]) throws -> [Tensor?]
    ) throws -> [Tensor] {
        var inputHandles: [OpaquePointer?] = inputs.map(\.handle)
        var outputHandles: [OpaquePointer?] = outputs.map(\.handle)
        var results = [OpaquePointer?](repeating: nil, count: outputs.count)
        let context = Unmanaged.passRetained(BackwardClosure(backward)).toOpaque()
        try check(
            ct_custom_node(
                &inputHandles, Int64(inputs.count), &outputHandles, Int64(outputs.count), runBackwardClosure,
                { Unmanaged<BackwardClosure>.fromOpaque($0!).release() }, context, &results),
            "custom node")
        return results.map { Tensor(owning: $0!) }
    }
}

private final class BackwardClosure {
    let body: ([Tensor?]) throws -> [Tensor?]
    init(_ body: @escaping ([Tensor?]) throws -> [Tensor?]) { self.body = body }
}

private let runBackwardClosure: ct_backward_callback = { context, outputs, outputCount, inputs, inputCount in
    let closure = Unmanaged<BackwardClosure>.fromOpaque(context!).takeUnretainedValue()
    let gradients = (0..<Int(outputCount)).map { outputs![$0].map(Tensor.init(owning:)) }
    do {
        let results = try closure.body(gradients)
        precondition(results.count == Int(inputCount), "a backward closure returns one gradient for each input")
        for (index, result) in results.enumerated() {
            inputs![index] = try result?.sharingHandle()
        }
        return true
    } catch {
        CallbackErrors.put(error)
        return false
    }
}

extension Tensor {
    /// A new handle, owned by the caller, to the same elements.
    fileprivate func sharingHandle() throws -> OpaquePointer {
        var result: OpaquePointer?
        try check(ct_tensor_share(handle, &result), "share")
        return result!
    }
}

/// Carries the error of a backward closure through libtorch's engine.
enum CallbackErrors {
    private static let last = Mutex<(any Error)?>(nil)
    static func put(_ error: any Error) { last.withLock { $0 = $0 ?? error } }
    /// To be called before the engine runs: an error that is still there belongs to an earlier run that failed for another
    /// reason.
    static func clear() { _ = take() }
    static func take() -> (any Error)? {
        last.withLock { error in
            defer { error = nil }
            return error
        }
    }
}

/// Runs `body` with autograd off on this thread.
package func withoutGradient<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withGradient(enabled: false, body)
}

/// Runs `body` with autograd on or off on this thread, then restores the previous state.
package func withGradient<Result>(enabled: Bool, _ body: () throws -> Result) rethrows -> Result {
    let before = ct_grad_enabled()
    ct_set_grad_enabled(enabled)
    defer { ct_set_grad_enabled(before) }
    return try body()
}

/// Whether autograd records on this thread.
package var isGradientEnabled: Bool { ct_grad_enabled() }
