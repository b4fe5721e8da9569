internal import MenoTensor

/// A mixture of experts: Σ weight · expert(x) over the experts that a router chooses for x, plus the output of shared experts.
final class Experts: FeedForwardBlock {
    /// The linear layers of each expert, by its number.
    struct Layers {
        var gates, ups, downs: [Linear]
    }

    /// What is computed for every token.
    struct Shared {
        var block: FeedForward
        /// Its sigmoid scales the block's output.
        var router: Linear?
    }

    /// transformers' name of the module that holds the experts.
    let name: String
    let router: Router
    let layers: Layers
    /// Adapters of all experts' gates and ups, and of their downs.
    var gateUpAdapter, downAdapter: LoRAAdapter?
    private let shared: Shared?
    private let activation: FeedForwardConfiguration.Activation
    let configuration: ExpertsConfiguration
    /// Whether rows of gates and ups alternate in transformers' stack, and so in its adapter.
    let takesTurns: Bool

    init(
        name: String, router: Router, layers: Layers, shared: Shared?, takesTurns: Bool,
        activation: FeedForwardConfiguration.Activation, configuration: ExpertsConfiguration
    ) {
        self.name = name
        self.router = router
        self.layers = layers
        self.shared = shared
        self.takesTurns = takesTurns
        self.activation = activation
        self.configuration = configuration
    }

    func callAsFunction(_ input: Tensor, context: AttentionContext) throws -> Tensor {
        let routed = try routed(input, router(input, context: context), context)
        guard let shared else { return routed }
        let common = try shared.block(input, context: context)
        guard let router = shared.router else { return try routed + common }
        return try routed + router(input, context: context).sigmoid() * common
    }

    /// Sorts tokens by expert, so that each expert computes its tokens in one product.
    private func routed(_ input: Tensor, _ decision: Router.Decision, _ context: AttentionContext) throws -> Tensor {
        let groups = ExpertGroups(try decision.experts.to(.cpu).array(), of: configuration.count)
        let (tokens, chosen) = (input.size(0), configuration.chosen)
        let sorted = try Tensor(groups.order.map { $0 / Int64(chosen) }, device: input.device)
        let rows = try input.indexed(by: sorted, along: 0).split(sizes: groups.sizes, along: 0)
        let adapters = try (
            gateUp: gateUpAdapter?.parts(groups.experts, of: configuration.count),
            down: downAdapter?.parts(groups.experts, of: configuration.count)
        )
        let outputs = try groups.experts.indices.map { index in
            try output(
                of: groups.experts[index], rows[index], gateUp: adapters.gateUp?[index], down: adapters.down?[index],
                context)
        }
        let places = try Tensor(groups.order, device: input.device)
        let weights = try decision.weights.reshaped([tokens * chosen]).indexed(by: places, along: 0)
        let weighed = try Tensor.concatenated(outputs, along: 0).to(.float32) * weights.unsqueezed(1)
        return try weighed.indexed(by: Tensor(groups.inverse, device: input.device), along: 0)
            .reshaped([tokens, chosen, input.size(1)]).sum(along: [1]).to(input.dtype)
    }

    /// The output of one expert for some tokens, `[tokens, hidden]`.
    private func output(
        of expert: Int, _ input: Tensor, gateUp: LoRAAdapter.Part?, down: LoRAAdapter.Part?, _ context: AttentionContext
    ) throws -> Tensor {
        let inner = try inner(of: expert, input, gateUp, context)
        let output = try layers.downs[expert](inner, context: context)
        return try down.map { try output + $0.change(of: inner) } ?? output
    }

    private func inner(
        of expert: Int, _ input: Tensor, _ adapter: LoRAAdapter.Part?, _ context: AttentionContext
    ) throws -> Tensor {
        let (gate, up) = (layers.gates[expert], layers.ups[expert])
        if configuration.clampedGate == nil, let fused = activation.fused, adapter == nil, !isGradientEnabled,
            let gate = gate.frozenMatrix,
            let up = up.frozenMatrix, input.hasGatedProduct(with: gate)
        {
            return try input.gatedProduct(gate, up, fused)
        }
        var (gated, raised) = try (gate(input, context: context), up(input, context: context))
        if let change = try adapter?.change(of: input) {
            let (gatedChange, raisedChange) = try halves(of: change)
            (gated, raised) = (try gated + gatedChange, try raised + raisedChange)
        }
        guard let clamp = configuration.clampedGate else { return try activation.gating(gated, raised) }
        (gated, raised) = (try gated.clamped(nil, clamp.limit), try raised.clamped(-clamp.limit, clamp.limit))
        return try (raised + 1) * gated * (gated * clamp.slope).sigmoid()
    }

    /// Splits a change of gates and ups, `[tokens, 2 · size]`, into that of the gates and that of the ups.
    private func halves(of change: Tensor) throws -> (Tensor, Tensor) {
        let (tokens, size) = (change.size(0), configuration.intermediateSize)
        guard takesTurns else {
            return (
                try change.narrowed(-1, start: 0, count: size), try change.narrowed(-1, start: size, count: size)
            )
        }
        let pairs = try change.reshaped([tokens, size, 2])
        return (try pairs.selected(0, along: 2), try pairs.selected(1, along: 2))
    }

    var parameters: [Parameter] {
        let experts = layers.gates.indices.flatMap { index in
            [layers.gates, layers.ups, layers.downs].flatMap { $0[index].parameters }
        }
        return router.parameters + experts + [gateUpAdapter, downAdapter].flatMap { $0?.parameters ?? [] }
    }
}

/// Which tokens each expert computes.
struct ExpertGroups {
    /// The experts that have tokens, in ascending order, and the number of tokens of each.
    var experts: [Int] = []
    var sizes: [Int] = []
    /// Indices of the choices (numbered token by token), sorted by expert.
    var order: [Int64] = []
    /// The index in ``order`` of each choice.
    var inverse: [Int64]

    /// - Parameters:
    ///   - choices: an expert for each choice, token by token.
    ///   - count: the number of experts in the model.
    init(_ choices: [Int64], of count: Int) {
        var places = Array(repeating: [Int64](), count: count)
        for (place, expert) in choices.enumerated() { places[Int(expert)].append(Int64(place)) }
        for (expert, places) in places.enumerated() where !places.isEmpty {
            experts.append(expert)
            sizes.append(places.count)
            order += places
        }
        inverse = Array(repeating: 0, count: choices.count)
        for (place, choice) in order.enumerated() { inverse[Int(choice)] = Int64(place) }
    }
}
