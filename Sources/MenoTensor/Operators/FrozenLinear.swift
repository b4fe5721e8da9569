extension Torch {
    /// Whether Meno's kernels compute products of float32 activations with frozen weights on this processor, which takes AVX2 or
    /// AVX-512. `ATEN_CPU_CAPABILITY` applies as it does to libtorch's kernels.
    package static var hasOwnProducts: Bool { Kernels.processorHas(.products) }

    /// The most rows of float32 activations for which a product reads the weight once, without packing (`kFew` in `Product.h`).
    package static var fewRows: Int { 4 }

    /// Whether activations should be float32 with frozen bfloat16 weights (``ProductKind/widened``).
    package static var widensFrozenWeights: Bool { Kernels.processorHas(.widenedWeights) }

    /// Whether Meno's kernels compute products of bfloat16 activations with bfloat16 weights: with the processor's matrix unit
    /// (AMX), with its dot-product instructions, or in tests with plain code (`MENO_PRODUCTS=emulated` in the environment).
    package static var hasTileProducts: Bool { Kernels.processorHas(.tileProducts) }
}

extension Tensor {
    /// x · Wᵀ + b for x `[..., in]` and a frozen weight `[out, in]` and bias `[out]`, which get no gradient.
    ///
    /// The weight's type may differ from x's; the result has x's type.
    package func frozenLinear(_ weight: FrozenMatrix, bias: Tensor? = nil) throws -> Tensor {
        guard Kernels.take(.frozenProduct, self, weight) else {
            return try linear(weight.values(dtype), bias: bias?.to(dtype))
        }
        let output = try withoutGradient {
            let product = try detached().product(weight, transposed: false)
            return try bias.map { try product + $0.to(dtype) } ?? product
        }
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            [try gradients[0].map { try $0.product(weight, transposed: true) }]
        }[0]
    }

    /// Whether ``adaptedLinear(_:down:up:scaling:dropout:)`` supports these activations and this frozen weight.
    package func hasAdaptedLinear(_ weight: FrozenMatrix) -> Bool { Kernels.take(.adaptedProduct, self, weight) }

    /// x · Wᵀ + s · D(x) · Aᵀ · Bᵀ: a frozen linear layer with a low-rank adapter (Hu et al., 2021, arXiv:2106.09685), as one
    /// autograd node. Valid only if ``hasAdaptedLinear(_:)`` is true. The adapter's part is computed in float32 on the CPU, and
    /// in x's type on a GPU.
    /// - Parameters:
    ///   - down: A, `[rank, in]`, float32.
    ///   - up: B, `[out, rank]`, float32.
    ///   - dropout: the probability that D drops an element, and the keys that determine which; no mask is stored. `nil`: no
    ///     dropout.
    package func adaptedLinear(
        _ weight: FrozenMatrix, down: Tensor, up: Tensor, scaling: Double,
        dropout: (probability: Double, keys: RowKeys)? = nil
    ) throws -> Tensor {
        let input = try contiguous().detached()
        let adapter: [OperatorArgument] =
            weight.arguments + [
                .tensor(down), .tensor(up), .double(scaling), .double(dropout?.probability ?? 0),
                .bits(dropout?.keys.key ?? 0), .optional(dropout?.keys.numbers),
            ]
        let results = try Kernels.adaptedProduct([.tensor(input)] + adapter)
        let (output, lowered) = (results[0]!, results[1]!)
        let needsInput = requiresGradient
        guard isGradientEnabled, needsInput || down.requiresGradient || up.requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self, down, up], outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return [nil, nil, nil] }
            return try Kernels.adaptedProductBackward(
                [.tensor(gradient), .tensor(input), .tensor(lowered)] + adapter + [.bool(needsInput)])
        }[0]
    }

    func product(_ weight: FrozenMatrix, transposed: Bool) throws -> Tensor {
        try Kernels.frozenProduct.one([.tensor(contiguous())] + weight.arguments + [.bool(transposed)])
    }
}
