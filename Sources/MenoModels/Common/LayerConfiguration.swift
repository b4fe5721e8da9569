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
        /// x + attention(norm(x)) + feedForward(norm(x)) with one norm for each block, as in GPT-NeoX.
        case parallelApart
    }

    package var attention: AttentionConfiguration
    package var feedForward: FeedForwardConfiguration
    package var norm: NormConfiguration
    package var normPlacement = NormPlacement.before
    /// Each block's output is multiplied by this before it is added.
    package var residualScale: Double = 1
}

package struct AttentionConfiguration: Sendable, Hashable {
    package var headCount: Int
    package var keyValueHeadCount: Int
    package var headDimension: Int
    /// Whether queries, keys and values are fused into one matrix.
    package var isFused = false
    /// Whether that matrix is grouped by key: for each key, its queries, the key and its value, instead of all queries first.
    package var isFusedByKey = false
    /// Whether queries, keys and values have a bias.
    package var hasInputBias = false
    package var hasOutputBias = false
    package var queryKeyNorm: QueryKeyNormConfiguration?
    /// How positions are encoded; `nil`: not at all.
    package var rotary: RotaryConfiguration?
    /// A token attends to itself and the `slidingWindow − 1` tokens before it; `nil`: to all tokens before it.
    package var slidingWindow: Int?
    /// Scores are multiplied by this before the softmax.
    package var scale: Double
    /// Scores become c · tanh(score / c).
    package var softcap: Double?
    package var queryGrowth: QueryGrowth?
    /// Queries, keys and values are clamped to −clip…clip.
    package var clip: Double?
    /// Whether each head has an extra score that belongs to no token (attention sinks, Xiao et al., 2023, arXiv:2309.17453).
    package var hasSinks = false
    /// How scores grow with the position of the key; `nil`: not at all.
    package var slopes: PositionSlopes?

    /// Whether fused kernels can compute the scores.
    var hasPlainScores: Bool { !hasSinks && slopes == nil }
}

/// Added to each score: the head's slope times the position of the key (ALiBi, Press et al., 2021, arXiv:2108.12409).
package struct PositionSlopes: Sendable, Hashable {
    /// Of each head.
    package var slopes: [Float]
    /// Whether the product is rounded to bfloat16.
    package var isRounded = false
    /// The factor of the product after rounding.
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
        /// As ``eachHead``, stored as one tensor for each head.
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
        /// Quadratic above zero and exponential below, with learned slopes (Huang and Schlag, 2024, arXiv:2411.13010).
        case xielu
    }
    package enum Form: Sendable, Hashable {
        /// down(activation(gate(x)) · up(x)).
        case gated
        /// As ``gated``, with gate and up fused into one matrix.
        case fusedGate
        /// down(activation(up(x))).
        case plain
    }

    package var intermediateSize: Int
    package var activation = Activation.silu
    package var form = Form.gated
    package var hasBias = false
    /// Whether its layers have the names of shared experts, although there are no other experts.
    package var hasSharedNames = false
    /// The mixture of experts that replaces the block, where the layer has one.
    package var experts: ExpertsConfiguration?

    /// The number of inner values of a token.
    var activeSize: Int { experts?.activeSize ?? intermediateSize }
}

package struct NormConfiguration: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// Divided by the root of the mean square; `offset` is added to the weight: 1 for Gemma, which stores norm weights as
        /// offsets from one.
        case rootMeanSquare(offset: Double = 0)
        /// Mean 0 and variance 1 first; `offset` is added to the weight.
        case layer(hasBias: Bool, offset: Double = 0)
        /// Mean 0 and variance 1, without weights.
        case standard

        /// Added to the weight as the model's files store it.
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
