internal import CTorch

extension Torch {
    /// Whether products with frozen weights are this project's own on this processor: one with AVX2 and without AVX-512,
    /// where libtorch's bfloat16 products are slower than its float32 ones many times over. Weights in bfloat16 then
    /// meet activations in float32. `ATEN_CPU_CAPABILITY` chooses here as it does for libtorch's own kernels.
    public static var hasOwnProducts: Bool { ct_has_own_products() }
}

extension Tensor {
    /// x · Wᵀ + b for x `[..., in]`, a frozen weight `[out, in]` and bias `[out]`, which get no gradient.
    ///
    /// The weight may be of another type than x; the result has x's.
    public func frozenLinear(_ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        guard Torch.hasOwnProducts, device == .cpu, dtype == .float32,
            weight.dtype == .float32 || weight.dtype == .bfloat16
        else { return try linear(weight.to(dtype), bias: bias?.to(dtype)) }
        let output = try withoutGradient {
            let product = try detached().product(weight, transposed: false)
            return try bias.map { try product + $0.to(dtype) } ?? product
        }
        guard isGradientEnabled, requiresGradient else { return output }
        return try Tensor.customNode(inputs: [self], outputs: [output]) { gradients in
            [try gradients[0].map { try $0.product(weight, transposed: true) }]
        }[0]
    }

    private func product(_ weight: Tensor, transposed: Bool) throws -> Tensor {
        let input = try contiguous()
        var result: OpaquePointer?
        try withExtendedLifetime((input, weight)) {
            try check(ct_product(input.handle, weight.handle, transposed, &result), "product")
        }
        return Tensor(owning: result!)
    }
}
