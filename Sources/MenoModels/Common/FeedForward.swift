internal import MenoTensor

/// The gated feed-forward block, down(activation(gate(x)) · up(x)) (Shazeer, 2020, arXiv:2002.05202).
final class FeedForward {
    let gate: Linear
    let up: Linear
    let down: Linear
    private let activation: DecoderConfiguration.Activation

    init(gate: Linear, up: Linear, down: Linear, activation: DecoderConfiguration.Activation) {
        self.gate = gate
        self.up = up
        self.down = down
        self.activation = activation
    }

    /// `[tokens, hidden]` in and out.
    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Tensor {
        if let fused, !isGradientEnabled, [gate, up].allSatisfy(\.isFrozenMatrix),
            input.hasGatedProduct(with: gate.weight.tensor)
        {
            return try down(input.gatedProduct(gate.weight.tensor, up.weight.tensor, fused), context: context)
        }
        return try down(gating(gate(input, context: context), up(input, context: context)), context: context)
    }

    /// activation(gated) · raised.
    private func gating(_ gated: Tensor, _ raised: Tensor) throws -> Tensor {
        if let fused, gated.hasFusedLayers { return try gated.gating(raised, fused) }
        switch activation {
        case .silu: return try gated.silu() * raised
        case .geluTanh: return try gated.geluTanh() * raised
        case .gelu: return try gated.gelu() * raised
        }
    }

    /// The activation as fused kernels have it.
    private var fused: Tensor.GateActivation? {
        switch activation {
        case .silu: .silu
        case .geluTanh: .geluTanh
        case .gelu: nil
        }
    }

    var linears: [(name: String, linear: Linear)] { [("gate_proj", gate), ("up_proj", up), ("down_proj", down)] }
}
