/// Small layers of transformers, each with one forward and one backward kernel. No intermediate result is written to memory or
/// kept for the backward pass.
extension Tensor {
    /// Whether the fused kernels support this tensor: float32 or bfloat16, on the CPU or a GPU with ``Device/kernelFault`` `nil`.
    package var hasFusedLayers: Bool { Kernels.take(.fusedLayers, self) }

    /// x / √(mean(x²) + ε) · (weight + offset) over the last dimension, computed in float32.
    /// - Parameter weight: `[size]`, float32 and frozen.
    package func rmsNorm(weight: Tensor, offset: Double, epsilon: Double) throws -> Tensor {
        let x = try contiguous().detached()
        let results = try Kernels.rmsNorm(.tensor(x), .tensor(weight), .double(offset), .double(epsilon))
        let (output, scales) = (results[0]!, results[1]!)
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return [nil] }
            return [
                try Kernels.rmsNormBackward.one(
                    .tensor(gradient), .tensor(x), .tensor(weight), .tensor(scales), .double(offset))
            ]
        }[0]
    }

    /// Rotates each head by the angles of its token: x · cos + (−x₂, x₁) · sin, computed in float32.
    /// - Parameters:
    ///   - cos: float32, broadcastable to `[tokens, heads, size]`.
    ///   - sin: like `cos`.
    package func rotated(cos: Tensor, sin: Tensor) throws -> Tensor {
        let output = try rotation(cos: cos, sin: sin, inverse: false)
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            [try gradients[0]?.rotation(cos: cos, sin: sin, inverse: true)]
        }[0]
    }

    private func rotation(cos: Tensor, sin: Tensor, inverse: Bool) throws -> Tensor {
        try Kernels.rotate.one(.tensor(contiguous()), .tensor(cos), .tensor(sin), .bool(inverse))
    }

    /// The nonlinearity of a gated feed-forward block.
    package enum GateActivation: Sendable {
        case silu, geluTanh

        fileprivate var argument: OperatorArgument { .string(self == .silu ? "silu" : "gelu_tanh") }
    }

    /// activation(self) · up, computed in float32.
    package func gating(_ up: Tensor, _ activation: GateActivation) throws -> Tensor {
        let (gate, raised) = try (contiguous().detached(), up.contiguous().detached())
        let output = try Kernels.gate.one(.tensor(gate), .tensor(raised), activation.argument)
        guard isGradientEnabled, requiresGradient || up.requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self, up], outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return [nil, nil] }
            return try Kernels.gateBackward(.tensor(gradient), .tensor(gate), .tensor(raised), activation.argument)
        }[0]
    }

    /// Whether ``gatedProduct(_:_:_:)`` supports these activations `[..., in]` and weights like this one, `[out, in]`. Only dense
    /// weights are supported.
    package func hasGatedProduct(with weight: FrozenMatrix) -> Bool {
        weight.dense.map { Kernels.take(.gatedProduct, self, $0) } ?? false
    }

    /// activation(x · Gᵀ) · (x · Uᵀ) for frozen weights `[out, in]`, without a gradient: equal to two products and
    /// ``gating(_:_:)``, but the products' results are never written to memory. Only where ``hasGatedProduct(with:)`` is true.
    package func gatedProduct(_ gate: FrozenMatrix, _ up: FrozenMatrix, _ activation: GateActivation) throws -> Tensor {
        guard let gate = gate.dense, let up = up.dense else { preconditionFailure("dense weights only") }
        return try Kernels.gatedProduct.one(.tensor(contiguous()), .tensor(gate), .tensor(up), activation.argument)
    }
}
