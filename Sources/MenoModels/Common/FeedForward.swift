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
    func callAsFunction(_ input: Tensor) throws -> Tensor {
        try down(gating(gate(input), up(input)))
    }

    /// activation(gated) · raised.
    private func gating(_ gated: Tensor, _ raised: Tensor) throws -> Tensor {
        let isFused = gated.hasFusedLayers
        switch activation {
        case .silu: return try isFused ? gated.gating(raised, .silu) : gated.silu() * raised
        case .geluTanh: return try isFused ? gated.gating(raised, .geluTanh) : gated.geluTanh() * raised
        case .gelu: return try gated.gelu() * raised
        }
    }

    var linears: [(name: String, linear: Linear)] { [("gate_proj", gate), ("up_proj", up), ("down_proj", down)] }
}
