internal import MenoTensor

/// A low-rank change of a frozen linear layer: ΔW = scaling · B · A (Hu et al., 2021, arXiv:2106.09685).
///
/// A and B are float32, whatever the layer computes in.
package final class LoRAAdapter {
    /// A, `[rank, inFeatures]`.
    package let down: Parameter
    /// B, `[outFeatures, rank]`.
    package let up: Parameter
    /// The size of each row of the changed weight, `[outFeatures]`, where it is learnt apart (DoRA).
    package let magnitude: Parameter?
    /// α / r, or α / √r where ranks are stabilised.
    package let scaling: Double
    /// The probability with which each element of the input is dropped while training.
    package internal(set) var dropout: Double
    /// Stands for the layer where random numbers are concerned.
    private let identifier: UInt64

    init(down: Parameter, up: Parameter, magnitude: Parameter? = nil, scaling: Double, dropout: Double) {
        self.magnitude = magnitude
        self.down = down
        self.up = up
        self.scaling = scaling
        self.dropout = dropout
        identifier = RowKeys.identifier(of: down.name)
    }

    /// An adapter that changes nothing yet: A is Kaiming-uniform with a = √5, that is uniform on ±1/√inFeatures, and B
    /// is zero, as PEFT initialises them.
    /// - Parameter parameter: by which patterns of ranks and α go instead of by the layer, where that is what is named.
    static func initialized(
        layer: String, parameter: String? = nil, linear: Linear, settings: LoRASettings, device: Device
    ) throws -> LoRAAdapter {
        let (inFeatures, outFeatures) = (linear.inFeatures, linear.outFeatures)
        let rank = try settings.rank(of: parameter ?? layer)
        let bound = 1 / Double(inFeatures).squareRoot()
        // Drawn on the CPU, so that a seed means the same on every device.
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

    /// - Returns: `nil` where none is dropped.
    func dropout(in context: AttentionContext) throws -> ActiveDropout? {
        guard dropout > 0, let keys = try context.rowKeys() else { return nil }
        return (dropout, keys.keys(for: identifier))
    }

    /// The layer's output with the change, in one kernel; `nil` where there is none for this adapter and input.
    func output(of linear: Linear, input: Tensor, dropout: ActiveDropout?) throws -> Tensor? {
        guard magnitude == nil, let matrix = linear.weight.matrix, input.hasAdaptedLinear(matrix) else { return nil }
        return try input.adaptedLinear(
            matrix, down: down.tensor, up: up.tensor, scaling: scaling, dropout: dropout)
    }

    /// The layer's output with the change. `[..., outFeatures]`.
    /// - Parameters:
    ///   - output: what the layer alone gives for the input.
    ///   - linear: the layer.
    func change(
        _ output: Tensor, of linear: Linear, input: Tensor, dropout: ActiveDropout?
    ) throws -> Tensor {
        let dropped = try dropout.map { try input.dropout($0.probability, $0.keys) } ?? input
        // The rank is small: scaling between the two products costs next to nothing.
        let change = try (dropped.linear(down.value(input.dtype)) * scaling).linear(up.value(input.dtype))
        guard let magnitude else { return try output + change }
        // m / ‖W + ΔW‖ scales every row; the norm is taken as a constant (Liu et al., section 4.3).
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
