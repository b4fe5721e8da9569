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
        /// x + attention(norm(x)) + feedForward(norm(x)) with a norm each, as in GPT-NeoX.
        case parallelApart
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
    /// Whether that matrix gives the queries of a key, this and its value, key after key, instead of all queries first.
    package var isFusedByKey = false
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
    /// Queries, keys and values are brought between −clip and clip.
    package var clip: Double?
    /// Whether each head has a score that no token gets (attention sinks, Xiao et al., 2023, arXiv:2309.17453).
    package var hasSinks = false
    /// How scores grow with the position of the key; `nil`: not at all.
    package var slopes: PositionSlopes?

    /// Whether scores are as the fused kernels compute them.
    var hasPlainScores: Bool { !hasSinks && slopes == nil }
}

/// What is added to a score: a head's slope, times the position of the key (ALiBi, Press et al., 2021, arXiv:2108.12409).
package struct PositionSlopes: Sendable, Hashable {
    /// Of each head.
    package var slopes: [Float]
    /// Whether the product is rounded to bfloat16.
    package var isRounded = false
    /// What the product is multiplied by then.
    package var scale: Double = 1
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
        /// The same, a tensor for each head.
        case apart
        /// All heads as one vector, with the weights `[heads · headDimension]`.
        case projection
    }

    package var norm: NormConfiguration
    package var scope = Scope.head
    /// Whether they are rotated first.
    package var followsRotation = false
}

package struct FeedForwardConfiguration: Sendable, Hashable {
    package enum Activation: String, Sendable {
        case silu, geluTanh, gelu, reluSquared
        /// Quadratic above zero and exponential below, with slopes that are learnt (Huang and Schlag, 2024, arXiv:2411.13010).
        case xielu
    }
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
    /// Whether its layers have the names of experts that every token meets, though there are no others.
    package var hasSharedNames = false
    /// What is there instead, in a layer with a mixture of experts.
    package var experts: ExpertsConfiguration?

    /// Values that a token has at once between the matrices.
    var activeSize: Int { experts?.activeSize ?? intermediateSize }
}

package struct NormConfiguration: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Divided by the root of the mean square; `offset` is added to the weight: 1 for Gemma, whose norms are stored around
        /// zero.
        case rootMeanSquare(offset: Double = 0)
        /// Mean 0 and variance 1 first; `offset` is added to the weight.
        case layer(hasBias: Bool, offset: Double = 0)
        /// Mean 0 and variance 1, without weights.
        case standard

        /// What is added to the weight, as the model's own files hold it.
        var offset: Double {
            switch self {
            case .rootMeanSquare(let offset), .layer(_, let offset): offset
            case .standard: 0
            }
        }
    }

    package var kind = Kind.rootMeanSquare()
    /// Added to the mean square or the variance.
    package var epsilon: Double
}
