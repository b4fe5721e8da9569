/// What one layer of a transformer computes.
package struct LayerConfiguration: Sendable, Hashable {
    /// Where a layer's two blocks, attention and feed-forward, are normalized.
    package enum NormPlacement: Sendable, Hashable {
        /// x + f(norm(x)).
        case before
        /// x + norm(f(x)), as in OLMo 2.
        case after
        /// x + norm(f(norm(x))), as in Gemma 2 and 3.
        case beforeAndAfter
        /// x + attention(norm(x)) + feedForward(norm(x)) with one norm, as in Cohere.
        case parallel
    }

    package var attention: AttentionConfiguration
    package var feedForward: FeedForwardConfiguration
    package var norm: NormConfiguration
    package var normPlacement = NormPlacement.before
    /// What each block gives is multiplied by this before it is added.
    package var residualScale: Double = 1
}

package struct AttentionConfiguration: Sendable, Hashable {
    package var headCount: Int
    package var keyValueHeadCount: Int
    package var headDimension: Int
    /// Whether one matrix gives queries, keys and values.
    package var isFused = false
    /// Whether queries, keys and values have a bias.
    package var hasInputBias = false
    package var hasOutputBias = false
    package var queryKeyNorm: QueryKeyNormConfiguration?
    /// How positions are encoded; `nil`: not at all.
    package var rotary: RotaryConfiguration?
    /// A token attends to itself and the `slidingWindow − 1` tokens before it; `nil`: to all before it.
    package var slidingWindow: Int?
    /// Scores are multiplied by this before the softmax.
    package var scale: Double
    /// Scores become c · tanh(score / c).
    package var softcap: Double?
    package var queryGrowth: QueryGrowth?
}

/// Queries at position p are multiplied by 1 + rate · ln(1 + ⌊p / period⌋), as in Llama 4.
package struct QueryGrowth: Sendable, Hashable {
    package var rate: Double
    package var period: Int
}

/// How queries and keys are normalized.
package struct QueryKeyNormConfiguration: Sendable, Hashable {
    package enum Scope: Sendable, Hashable {
        /// Each head, all with the same weights `[headDimension]`.
        case head
        /// Each head with its own weights, `[heads, headDimension]`.
        case eachHead
        /// All heads as one vector, with the weights `[heads · headDimension]`.
        case projection
    }

    package var norm: NormConfiguration
    package var scope = Scope.head
    /// Whether they are rotated first.
    package var followsRotation = false
}

package struct FeedForwardConfiguration: Sendable, Hashable {
    package enum Activation: String, Sendable { case silu, geluTanh, gelu, reluSquared }
    package enum Form: Sendable, Hashable {
        /// down(activation(gate(x)) · up(x)).
        case gated
        /// The same, where one matrix gives gate and up.
        case fusedGate
        /// down(activation(up(x))).
        case plain
    }

    package var intermediateSize: Int
    package var activation = Activation.silu
    package var form = Form.gated
    package var hasBias = false
}

package struct NormConfiguration: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Divided by the root of the mean square; `offset` is added to the weight: 1 for Gemma, whose norms are stored around
        /// zero.
        case rootMeanSquare(offset: Double = 0)
        /// Mean 0 and variance 1 first.
        case layer(hasBias: Bool)
    }

    package var kind = Kind.rootMeanSquare()
    /// Added to the mean square or the variance.
    package var epsilon: Double
}
