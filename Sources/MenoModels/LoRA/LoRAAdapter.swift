internal import MenoTensor

/// A low-rank change of a frozen linear layer: ΔW = scaling · B · A (Hu et al., 2021, arXiv:2106.09685).
///
/// A and B are float32, regardless of the layer's type.
package final class LoRAAdapter {
    /// A, `[rank, inFeatures]`.
    package let down: Parameter
    /// B, `[outFeatures, rank]`.
    package let up: Parameter
    /// The learned magnitude of each row of the changed weight, `[outFeatures]` (DoRA); `nil` without DoRA.
    package let magnitude: Parameter?
    /// α / r, or α / √r with rank stabilization (rsLoRA).
    package let scaling: Double
    /// The probability of dropping each element of the input in training.
    package internal(set) var dropout: Double
    /// Identifies the layer in the key of random numbers.
    private let identifier: UInt64

    init(down: Parameter, up: Parameter, magnitude: Parameter? = nil, scaling: Double, dropout: Double) {
        self.magnitude = magnitude
        self.down = down
        self.up = up
        self.scaling = scaling
        self.dropout = dropout
        identifier = RowKeys.identifier(of: down.name)
    }

    /// A new adapter, initialised as in PEFT: A is Kaiming-uniform with a = √5, which is uniform on ±1/√inFeatures, and B is
    /// zero, so the output does not change yet.
    /// - Parameter parameter: the name that rank and alpha patterns match instead of the layer's, if the adapter is for a
    ///   parameter.
    static func initialized(
        layer: String, parameter: String? = nil, linear: Linear, settings: LoRASettings, device: Device
    ) throws -> LoRAAdapter {
        let (inFeatures, outFeatures) = (linear.inFeatures, linear.outFeatures)
        let rank = try settings.rank(of: parameter ?? layer)
        let bound = 1 / Double(inFeatures).squareRoot()
        // Drawn on the CPU, so that a seed gives the same values on every device.
        let down = try Tensor(uninitialized: [rank, inFeatures], dtype: .float32).uniform_(-bound, bound).to(device)
        let up = try Tensor.zeros([outFeatures, rank], device: device)
        let magnitude =
            settings.usesDoRA ? try withoutGradient { try linear.weight.value(.float32).rowNorms() } : nil
        return LoRAAdapter(
            down: Parameter("\(layer).lora_A.weight", try down.requiringGradient()),
            up: Parameter("\(layer).lora_B.weight", try up.requiringGradient()),
            magnitude: try magnitude.map {
                Parameter("\(layer).lora_magnitude_vector", try $0.detached().requiringGradient())
            },
            scaling: try settings.scaling(of: parameter ?? layer), dropout: settings.dropout)
    }

    /// How elements of the input are dropped in a pass.
    typealias ActiveDropout = (probability: Double, keys: RowKeys)

    /// - Returns: `nil` if nothing is dropped.
    func dropout(in context: AttentionContext) throws -> ActiveDropout? {
        guard dropout > 0, let keys = try context.rowKeys() else { return nil }
        return (dropout, keys.keys(for: identifier))
    }

    /// The layer's output with the change, computed by one kernel; `nil` if there is none for this adapter and input.
    func output(of linear: Linear, input: Tensor, dropout: ActiveDropout?) throws -> Tensor? {
        guard magnitude == nil, let matrix = linear.weight.matrix, input.hasAdaptedLinear(matrix) else { return nil }
        return try input.adaptedLinear(
            matrix, down: down.tensor, up: up.tensor, scaling: scaling, dropout: dropout)
    }

    /// The layer's output with the change. `[..., outFeatures]`.
    /// - Parameters:
    ///   - output: the layer's output without the adapter.
    ///   - linear: the layer.
    func change(
        _ output: Tensor, of linear: Linear, input: Tensor, dropout: ActiveDropout?
    ) throws -> Tensor {
        let dropped = try dropout.map { try input.dropout($0.probability, $0.keys) } ?? input
        // The rank is small: scaling between the two products costs next to nothing.
        let change = try (dropped.linear(down.value(input.dtype)) * scaling).linear(up.value(input.dtype))
        guard let magnitude else { return try output + change }
        // m / ‖W + ΔW‖ scales every row; the norm is treated as a constant (Liu et al., section 4.3).
        let norms = try withoutGradient {
            try (linear.weight.value(.float32) + up.tensor.matmul(down.tensor) * scaling).rowNorms()
        }
        let scale = try (magnitude.tensor / norms).to(input.dtype)
        let base = dropout != nil ? try linear.base(dropped) : try linear.withoutBias(output)
        return try output + (scale + -1) * base + scale * change
    }

    var parameters: [Parameter] { [down, up] + (magnitude.map { [$0] } ?? []) }
}

extension Tensor {
    /// √Σx² of each row of a matrix.
    fileprivate func rowNorms() throws -> Tensor { try squared().sum(along: [1]).squareRoot() }
}
