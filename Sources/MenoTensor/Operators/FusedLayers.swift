internal import CTorch

/// Small layers of transformers, each one kernel forward and one backward: nothing in between is written to memory or kept
/// for the backward pass.
extension Tensor {
    /// Whether the fused kernels take this tensor: float32 or bfloat16, on the CPU or a GPU with ``Device/kernelFault`` `nil`.
    public var hasFusedLayers: Bool { ct_has_fused_layers(handle) }

    /// x / √(mean(x²) + ε) · (weight + offset) over the last dimension, computed in float32.
    /// - Parameter weight: `[size]`, float32 and frozen.
    public func rmsNorm(weight: Tensor, offset: Double, epsilon: Double) throws -> Tensor {
        let x = try contiguous()
        var results: (OpaquePointer?, OpaquePointer?) = (nil, nil)
        try withExtendedLifetime((x, weight)) {
            try check(
                ct_rms_norm(x.handle, weight.handle, Float(offset), Float(epsilon), &results.0, &results.1), "RMSNorm")
        }
        let (output, scales) = (Tensor(owning: results.0!), Tensor(owning: results.1!))
        guard isGradientEnabled, requiresGradient else { return output }
        let saved = try x.detached()
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return [nil] }
            var result: OpaquePointer?
            try withExtendedLifetime((gradient, saved, weight, scales)) {
                try check(
                    ct_rms_norm_backward(
                        gradient.handle, saved.handle, weight.handle, scales.handle, Float(offset), &result),
                    "RMSNorm backward")
            }
            return [Tensor(owning: result!)]
        }[0]
    }

    /// Rotates each head by the angles of its token: x · cos + (−x₂, x₁) · sin, computed in float32.
    /// - Parameters:
    ///   - cos: float32, for each token and element of `[tokens, heads, size]`.
    ///   - sin: the same.
    public func rotated(cos: Tensor, sin: Tensor) throws -> Tensor {
        let output = try rotation(cos: cos, sin: sin, inverse: false)
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            [try gradients[0]?.rotation(cos: cos, sin: sin, inverse: true)]
        }[0]
    }

    private func rotation(cos: Tensor, sin: Tensor, inverse: Bool) throws -> Tensor {
        let x = try contiguous()
        var result: OpaquePointer?
        try withExtendedLifetime((x, cos, sin)) {
            try check(ct_rotate(x.handle, cos.handle, sin.handle, inverse, &result), "rotary embedding")
        }
        return Tensor(owning: result!)
    }

    /// The nonlinearity of a gated feed-forward block.
    public enum GateActivation: Sendable {
        case silu, geluTanh

        fileprivate var kind: ct_activation { self == .silu ? CT_SILU : CT_GELU_TANH }
    }

    /// activation(self) · up, computed in float32.
    public func gating(_ up: Tensor, _ activation: GateActivation) throws -> Tensor {
        let kind = activation.kind
        let (gate, raised) = try (contiguous(), up.contiguous())
        var result: OpaquePointer?
        try withExtendedLifetime((gate, raised)) {
            try check(ct_gate(gate.handle, raised.handle, kind, &result), "gated activation")
        }
        let output = Tensor(owning: result!)
        guard isGradientEnabled, requiresGradient || up.requiresGradient else { return output }
        let saved = try (gate.detached(), raised.detached())
        return try Tensor.customNode(inputs: [self, up], outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return [nil, nil] }
            var results: (OpaquePointer?, OpaquePointer?) = (nil, nil)
            try withExtendedLifetime((gradient, saved)) {
                try check(
                    ct_gate_backward(
                        gradient.handle, saved.0.handle, saved.1.handle, kind, &results.0, &results.1),
                    "gated activation backward")
            }
            return [Tensor(owning: results.0!), Tensor(owning: results.1!)]
        }[0]
    }

    /// Whether ``gatedProduct(_:_:_:)`` takes these activations `[..., in]` and weights like this one, `[out, in]`.
    public func hasGatedProduct(with weight: Tensor) -> Bool { ct_has_gated_product(handle, weight.handle) }

    /// activation(x · Gᵀ) · (x · Uᵀ) for frozen weights `[out, in]`, without a gradient: equal to two products and
    /// ``gating(_:_:)``, but the products' results are never written to memory. Only where ``hasGatedProduct(with:)`` is true.
    public func gatedProduct(_ gate: Tensor, _ up: Tensor, _ activation: GateActivation) throws -> Tensor {
        let input = try contiguous()
        var result: OpaquePointer?
        try withExtendedLifetime((input, gate, up)) {
            try check(ct_gated_product(input.handle, gate.handle, up.handle, activation.kind, &result), "gated product")
        }
        return Tensor(owning: result!)
    }
}
