internal import MenoTensor

/// Rotary position embeddings (Su et al., 2021, arXiv:2104.09864), in the half-split form that transformers uses.
final class RotaryEmbedding {
    /// `[headDimension / 2]`.
    private let inverseFrequencies: [Double]
    private let device: Device
    private var cosines: Tensor?
    private var sines: Tensor?

    init(_ configuration: RotaryConfiguration, headDimension: Int, device: Device) {
        inverseFrequencies = configuration.inverseFrequencies(dimension: headDimension)
        self.device = device
    }

    /// cos and sin of the angles at `positions` `[tokens]`, each `[tokens, 1, headDimension]` in float32.
    func tables(positions: Tensor, highest: Int) throws -> (cos: Tensor, sin: Tensor) {
        try withoutGradient {
            if (cosines?.size(0) ?? 0) <= highest { try grow(to: max(256, highest + 1)) }
            return (
                try cosines!.indexed(by: positions, along: 0).unsqueezed(1),
                try sines!.indexed(by: positions, along: 0).unsqueezed(1)
            )
        }
    }

    private func grow(to count: Int) throws {
        // Powers of two, so that a growing cache does not rebuild the tables at every token.
        var rows = 256
        while rows < count { rows *= 2 }
        let angles =
            try Tensor.range(rows, dtype: .float32).unsqueezed(1)
            * Tensor(inverseFrequencies.map { Float($0) }).unsqueezed(0)
        let doubled = try Tensor.concatenated([angles, angles], along: 1).to(device)
        cosines = try doubled.cos()
        sines = try doubled.sin()
    }

    /// Rotates each head: x · cos + (−x₂, x₁) · sin.
    /// - Parameter heads: `[tokens, heads, headDimension]`.
    static func apply(_ heads: Tensor, cos: Tensor, sin: Tensor) throws -> Tensor {
        if heads.hasFusedLayers { return try heads.rotated(cos: cos, sin: sin) }
        let half = heads.size(-1) / 2
        let x = try heads.to(.float32)
        let first = try x.narrowed(-1, start: 0, count: half)
        let second = try x.narrowed(-1, start: half, count: half)
        let rotated = try Tensor.concatenated([-second, first], along: -1)
        return try (x * cos + rotated * sin).to(heads.dtype)
    }
}
