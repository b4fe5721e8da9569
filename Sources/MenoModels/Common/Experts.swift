internal import MenoTensor

/// A mixture of experts: Σ weight · expert(x) over the experts that a router chooses for x, and what experts give that every
/// token meets.
final class Experts: FeedForwardBlock {
    /// The linear layers of each expert, by its number.
    struct Layers {
        var gates, ups, downs: [Linear]
    }

    /// What is computed for every token.
    struct Shared {
        var block: FeedForward
        /// Its sigmoid weighs what the block gives.
        var router: Linear?
    }

    /// transformers' name of the module that holds the experts.
    let name: String
    let router: Router
    let layers: Layers
    /// What is trained beside all experts' gates and ups, and beside their downs.
    var gateUpAdapter, downAdapter: LoRAAdapter?
    private let shared: Shared?
    private let activation: FeedForwardConfiguration.Activation
    let configuration: ExpertsConfiguration
    /// Whether gates and ups take turns in transformers' stack of both, and in an adapter of it.
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

    /// Tokens are sorted by their experts, each of which computes its own at once.
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

    /// What one expert gives for some tokens, `[tokens, hidden]`.
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

    /// What belongs to gates and to ups of a change of both, `[tokens, 2 · size]`.
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
    /// The experts that compute any, in rising order, and how many each.
    var experts: [Int] = []
    var sizes: [Int] = []
    /// The choices, counted token by token, in the order of their experts.
    var order: [Int64] = []
    /// The place in ``order`` of each choice.
    var inverse: [Int64]

    /// - Parameters:
    ///   - choices: an expert for each choice, token by token.
    ///   - count: of all experts.
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
