internal import MenoTensor

/// One transformer layer: attention and feed-forward, each with its norms and a residual connection.
final class DecoderLayer {
    let attention: Attention
    let feedForward: FeedForward
    let attentionNorm: RMSNorm
    let feedForwardNorm: RMSNorm
    /// Norms of the blocks' outputs, where the architecture has them.
    let postAttentionNorm: RMSNorm?
    let postFeedForwardNorm: RMSNorm?

    init(
        attention: Attention, feedForward: FeedForward, attentionNorm: RMSNorm, feedForwardNorm: RMSNorm,
        postAttentionNorm: RMSNorm?, postFeedForwardNorm: RMSNorm?
    ) {
        self.attention = attention
        self.feedForward = feedForward
        self.attentionNorm = attentionNorm
        self.feedForwardNorm = feedForwardNorm
        self.postAttentionNorm = postAttentionNorm
        self.postFeedForwardNorm = postFeedForwardNorm
    }

    /// `[tokens, hidden]` in and out.
    func callAsFunction(_ input: Tensor, context: AttentionContext, cache: LayerCache?) throws -> Tensor {
        var attended = try attention(attentionNorm(input), context: context, cache: cache)
        if let postAttentionNorm { attended = try postAttentionNorm(attended) }
        let hiddenStates = try input + attended
        var transformed = try feedForward(feedForwardNorm(hiddenStates), context: context)
        if let postFeedForwardNorm { transformed = try postFeedForwardNorm(transformed) }
        return try hiddenStates + transformed
    }

    var parameters: [Parameter] {
        let norms = [
            attentionNorm, feedForwardNorm, postAttentionNorm, postFeedForwardNorm, attention.queryNorm,
            attention.keyNorm,
        ]
        return (attention.linears + feedForward.linears).flatMap(\.linear.parameters)
            + norms.compactMap { $0?.weight }
    }
}
