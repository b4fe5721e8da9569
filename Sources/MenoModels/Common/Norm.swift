internal import MenoTensor

/// A normalization over the last dimension, computed in float32.
///
/// Of the root mean square (Zhang and Sennrich, 2019, arXiv:1910.07467): y = x / √(mean(x²) + ε) · (weight + offset), with
/// Gemma's offset. Of the layer (Ba et al., 2016, arXiv:1607.06450): y = (x − mean) / √(variance + ε) · weight + bias.
final class Norm {
    let weight: Parameter
    let bias: Parameter?
    /// The weights of the other rows, where each row is a separate tensor.
    private let otherRows: [Parameter]
    private let configuration: NormConfiguration

    init(weight: Parameter, bias: Parameter?, configuration: NormConfiguration, otherRows: [Parameter] = []) {
        self.weight = weight
        self.bias = bias
        self.configuration = configuration
        self.otherRows = otherRows
    }

    private func gain() throws -> Tensor {
        guard !otherRows.isEmpty else { return try weight.value(.float32) }
        return try Tensor.concatenated(
            ([weight] + otherRows).map { try $0.value(.float32).unsqueezed(0) }, along: 0)
    }

    /// - Parameter input: `[..., size]`; where the weight is a matrix, `[..., rows, size]`.
    func callAsFunction(_ input: Tensor) throws -> Tensor {
        switch configuration.kind {
        case .rootMeanSquare(let offset): try rootMeanSquare(input, offset: offset)
        case .layer(_, let offset): try layer(input, offset: offset)
        case .standard: try standard(input.to(.float32)).to(input.dtype)
        }
    }

    private func rootMeanSquare(_ input: Tensor, offset: Double) throws -> Tensor {
        if input.hasFusedLayers, !weight.isTrained, otherRows.isEmpty {
            return try input.rmsNorm(weight: weight.tensor, offset: offset, epsilon: configuration.epsilon)
        }
        let x = try input.to(.float32)
        let gain = try gain()
        return try (x * scale(x) * (offset == 0 ? gain : gain + offset)).to(input.dtype)
    }

    private func layer(_ input: Tensor, offset: Double) throws -> Tensor {
        let gain = try gain()
        let output = try standard(input.to(.float32)) * (offset == 0 ? gain : gain + offset)
        return try (bias.map { try output + $0.value(.float32) } ?? output).to(input.dtype)
    }

    /// Mean 0 and variance 1.
    private func standard(_ x: Tensor) throws -> Tensor {
        let centered = try x - x.mean(along: [-1], keepingDimensions: true)
        return try centered * scale(centered)
    }

    /// 1 / √(mean(x²) + ε).
    private func scale(_ x: Tensor) throws -> Tensor {
        try (x.squared().mean(along: [-1], keepingDimensions: true) + configuration.epsilon).rsqrt()
    }

    var parameters: [Parameter] {
        configuration.kind == .standard ? [] : [weight] + otherRows + (bias.map { [$0] } ?? [])
    }
}
