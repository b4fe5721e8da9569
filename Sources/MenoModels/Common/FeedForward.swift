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
        let gated = try gate(input)
        let activated =
            switch activation {
            case .silu: try gated.silu()
            case .geluTanh: try gated.geluTanh()
            case .gelu: try gated.gelu()
            }
        return try down(activated * up(input))
    }

    var linears: [(name: String, linear: Linear)] { [("gate_proj", gate), ("up_proj", up), ("down_proj", down)] }
}
