internal import MenoTensor

/// A normalization over the last dimension, computed in float32.
///
/// Of the root mean square (Zhang and Sennrich, 2019, arXiv:1910.07467): y = x / √(mean(x²) + ε) · (weight + offset), with
/// Gemma's offset. Of the layer (Ba et al., 2016, arXiv:1607.06450): y = (x − mean) / √(variance + ε) · weight + bias.
final class Norm {
    let weight: Parameter
    let bias: Parameter?
    private let configuration: NormConfiguration

    init(weight: Parameter, bias: Parameter?, configuration: NormConfiguration) {
        self.weight = weight
        self.bias = bias
        self.configuration = configuration
    }

    /// - Parameter input: `[..., size]`; where the weight is a matrix, `[..., rows, size]`.
    func callAsFunction(_ input: Tensor) throws -> Tensor {
        switch configuration.kind {
        case .rootMeanSquare(let offset): try rootMeanSquare(input, offset: offset)
        case .layer: try layer(input)
        }
    }

    private func rootMeanSquare(_ input: Tensor, offset: Double) throws -> Tensor {
        if input.hasFusedLayers, !weight.isTrained {
            return try input.rmsNorm(weight: weight.tensor, offset: offset, epsilon: configuration.epsilon)
        }
        let x = try input.to(.float32)
        let gain = try weight.value(.float32)
        return try (x * scale(x) * (offset == 0 ? gain : gain + offset)).to(input.dtype)
    }

    private func layer(_ input: Tensor) throws -> Tensor {
        let x = try input.to(.float32)
        let centered = try x - x.mean(along: [-1], keepingDimensions: true)
        let output = try centered * scale(centered) * weight.value(.float32)
        return try (bias.map { try output + $0.value(.float32) } ?? output).to(input.dtype)
    }

    /// 1 / √(mean(x²) + ε).
    private func scale(_ x: Tensor) throws -> Tensor {
        try (x.squared().mean(along: [-1], keepingDimensions: true) + configuration.epsilon).rsqrt()
    }

    var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }
}
