internal import MenoTensor

/// The block after attention in a layer: a feed-forward block or a mixture of experts.
protocol FeedForwardBlock: AnyObject {
    /// `[tokens, hidden]` in and out.
    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Tensor
}

/// The feed-forward block: down(activation(gate(x)) · up(x)) (Shazeer, 2020, arXiv:2002.05202), or down(activation(up(x))).
final class FeedForward: FeedForwardBlock {
    /// The layers that compute the inner values from the input.
    enum Inputs {
        case gated(gate: Linear, up: Linear)
        /// One layer whose output is that of gate followed by that of up.
        case fusedGate(Linear)
        case plain(Linear)
    }

    private let inputs: Inputs
    private let down: Linear
    private let activation: FeedForwardConfiguration.Activation
    /// The learned activation, in place of one without weights.
    let xielu: XIELU?

    init(inputs: Inputs, down: Linear, activation: FeedForwardConfiguration.Activation, xielu: XIELU? = nil) {
        self.xielu = xielu
        self.inputs = inputs
        self.down = down
        self.activation = activation
    }

    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Tensor {
        try down(inner(input, context), context: context)
    }

    private func inner(_ input: Tensor, _ context: AttentionContext) throws -> Tensor {
        switch inputs {
        case .gated(let gate, let up):
            if let fused = activation.fused, !isGradientEnabled, let gate = gate.frozenMatrix, let up = up.frozenMatrix,
                input.hasGatedProduct(with: gate)
            {
                return try input.gatedProduct(gate, up, fused)
            }
            return try activation.gating(gate(input, context: context), up(input, context: context))
        case .fusedGate(let linear):
            let both = try linear(input, context: context)
            let size = both.size(-1) / 2
            return try activation.gating(
                both.narrowed(-1, start: 0, count: size), both.narrowed(-1, start: size, count: size))
        case .plain(let up):
            let raised = try up(input, context: context)
            return try xielu?(raised) ?? activation(raised)
        }
    }
}
