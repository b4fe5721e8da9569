internal import MenoTensor

/// Root mean square normalisation, y = x / √(mean(x²) + ε) · (weight + offset), computed in float32.
///
/// Zhang and Sennrich, 2019 (arXiv:1910.07467); the offset is Gemma's.
final class RMSNorm {
    let weight: Parameter
    private let epsilon: Double
    private let offset: Double

    init(weight: Parameter, epsilon: Double, offset: Double) {
        self.weight = weight
        self.epsilon = epsilon
        self.offset = offset
    }

    /// - Parameter input: `[..., size]`.
    func callAsFunction(_ input: Tensor) throws -> Tensor {
        if input.hasFusedLayers, !weight.isTrained {
            return try input.rmsNorm(weight: weight.tensor, offset: offset, epsilon: epsilon)
        }
        let x = try input.to(.float32)
        let scale = try (x.squared().mean(along: [-1], keepingDimensions: true) + epsilon).rsqrt()
        let gain = try weight.value(.float32)
        return try (x * scale * (offset == 0 ? gain : gain + offset)).to(input.dtype)
    }
}
