internal import MenoTensor

/// One transformer layer: attention and feed-forward, each with its norms and a residual connection.
final class DecoderLayer {
    /// Norms before and after each block, where the layer has them.
    struct Norms {
        var attention, feedForward, postAttention, postFeedForward: Norm?
        var query, key: Norm?
    }

    /// The linear layers by transformers' names.
    let linears: [(name: String, linear: Linear)]
    private let attention: Attention
    private let feedForward: any FeedForwardBlock
    private let norms: Norms
    private let configuration: LayerConfiguration

    init(
        attention: Attention, feedForward: any FeedForwardBlock, norms: Norms,
        linears: [(name: String, linear: Linear)],
        configuration: LayerConfiguration
    ) {
        self.attention = attention
        self.feedForward = feedForward
        self.norms = norms
        self.linears = linears
        self.configuration = configuration
    }

    /// `[tokens, hidden]` in and out.
    func callAsFunction(_ input: Tensor, context: AttentionContext, caches: [LayerCache]) throws -> Tensor {
        let normalized = try norms.attention.map { try $0(input) } ?? input
        let attended = try added(attention(normalized, context: context, caches: caches), norms.postAttention)
        let hiddenStates = try input + attended
        if configuration.normPlacement == .parallel || configuration.normPlacement == .parallelApart {
            let inner = try norms.feedForward.map { try $0(input) } ?? normalized
            return try hiddenStates + scaled(feedForward(inner, context: context))
        }
        let inner = try norms.feedForward.map { try $0(hiddenStates) } ?? hiddenStates
        return try hiddenStates + added(feedForward(inner, context: context), norms.postFeedForward)
    }

    /// A block's output as it is added to the residual stream.
    private func added(_ output: Tensor, _ norm: Norm?) throws -> Tensor {
        try scaled(norm.map { try $0(output) } ?? output)
    }

    private func scaled(_ output: Tensor) throws -> Tensor {
        configuration.residualScale == 1 ? output : try output * configuration.residualScale
    }

    /// The learned weights of the feed-forward block's activation.
    private var activation: [Parameter] { (feedForward as? FeedForward)?.xielu?.parameters ?? [] }

    /// The mixture of experts, where the layer has one.
    var experts: Experts? { feedForward as? Experts }

    var parameters: [Parameter] {
        let all = [
            norms.attention, norms.feedForward, norms.postAttention, norms.postFeedForward, norms.query, norms.key,
        ]
        return linears.flatMap(\.linear.parameters) + (experts?.parameters ?? []) + (attention.sinks.map { [$0] } ?? [])
            + activation + all.flatMap { $0?.parameters ?? [] }
    }
}
