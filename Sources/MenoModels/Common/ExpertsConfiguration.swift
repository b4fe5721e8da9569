/// A mixture of experts in the place of a feed-forward block: a router chooses a few for each token (Shazeer et al., 2017,
/// arXiv:1701.06538).
package struct ExpertsConfiguration: Sendable, Hashable {
    /// What an expert's weight for a token is made of the router's logits.
    package enum Scoring: Sendable, Hashable {
        /// The softmax over all experts.
        case softmax
        /// The softmax over those that are chosen.
        case softmaxOfChosen
        /// Each expert's own sigmoid.
        case sigmoid
        /// Of each choice the softmax over the experts whose logits are within `tolerance` of it, relatively, and that were not
        /// chosen before (SparseMixer, Liu et al., 2024, arXiv:2409.12136, as it is where nothing is sampled).
        case closest(tolerance: Double)
    }

    /// Experts that every token meets, as one feed-forward block.
    package struct Shared: Sendable, Hashable {
        package var intermediateSize: Int
        /// Whether a sigmoid of the token weighs what they give.
        package var isWeighed = false
        /// Whether one matrix gives gate and up.
        package var isFused = false
    }

    /// Of experts in groups, only those of the best groups are chosen.
    package struct Groups: Sendable, Hashable {
        package var count: Int
        package var chosen: Int
    }

    /// A gate of gpt-oss: with g at most `limit` and u between ±`limit`, (u + 1) · g · sigmoid(`slope` · g).
    package struct ClampedGate: Sendable, Hashable {
        package var slope: Double
        package var limit: Double
    }

    package var count: Int
    /// How many each token meets.
    package var chosen: Int
    /// Of one expert.
    package var intermediateSize: Int
    package var scoring = Scoring.softmax
    /// Whether the weights of the chosen ones are divided by their sum.
    package var normalizesWeights = false
    /// The weights are multiplied by this.
    package var weightScale = 1.0
    /// Whether a bias is added to the scores while experts are chosen.
    package var correctsChoice = false
    package var groups: Groups?
    package var shared: Shared?
    /// Whether router and experts have biases.
    package var hasBias = false
    /// What takes the place of activation(gate) · up.
    package var clampedGate: ClampedGate?

    /// Values that a token has at once between an expert's matrices.
    var activeSize: Int { chosen * intermediateSize + (shared?.intermediateSize ?? 0) }
}

extension ExpertsConfiguration {
    /// Throws where a size is impossible.
    func validate(path: String?) throws {
        try DecoderConfiguration.requirePositive(
            [
                ("the number of experts", count), ("num_experts_per_tok", chosen),
                ("the intermediate size of an expert", intermediateSize),
                ("the intermediate size of shared experts", shared?.intermediateSize ?? 1),
            ], path: path)
        guard chosen <= count else {
            throw ModelError(
                .malformed, at: path,
                "num_experts_per_tok is \(chosen), of \(count) experts; expected at most \(count).")
        }
        guard let groups else { return }
        guard groups.count > 0, groups.chosen > 0, groups.chosen <= groups.count, count % groups.count == 0,
            count / groups.count >= 2, groups.chosen * (count / groups.count) >= chosen
        else {
            throw ModelError(
                .malformed, at: path,
                "\(groups.chosen) of \(groups.count) groups of \(count) experts do not have \(chosen) experts to choose from."
            )
        }
    }
}
