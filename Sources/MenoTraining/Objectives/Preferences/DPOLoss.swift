internal import Foundation

/// Direct preference optimization and its relatives: losses of how much more probable than by the reference model each side is.
///
/// With Δ = log p(chosen) − log p_ref(chosen) − (log p(rejected) − log p_ref(rejected)).
package struct DPOLoss: PairLoss {
    /// By TRL's names.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// −log σ(βΔ) (Rafailov et al., 2023, arXiv:2305.18290, equation 7).
        case sigmoid
        /// max(0, 1 − βΔ) (Zhao et al., 2023, arXiv:2305.10425; Liu et al., 2023, arXiv:2309.06657).
        case hinge
        /// (Δ per token − 1 / 2β)² (Azar et al., 2023, arXiv:2310.12036, equation 17). Each side's log-ratio is divided by its
        /// number of tokens.
        case ipo
        /// The reverse divergence from (1 − ε, ε) (Ji et al., 2024, arXiv:2402.00856, equation 16).
        case exoPair = "exo_pair"
        /// Noise-contrastive alignment (Chen et al., 2024, arXiv:2402.05369).
        case ncaPair = "nca_pair"
        /// The sigmoid loss without the bias of labels that are flipped with probability ε (Chowdhury et al., 2024,
        /// arXiv:2403.00409).
        case robust
        /// The negative log-likelihood of the chosen tokens, a mean over those of a step.
        case sft
        /// Binary classification of each side (Jung et al., 2024, arXiv:2404.04656), without its shift.
        case bcoPair = "bco_pair"
        /// Self-play preference optimization with hard labels (Wu et al., 2024, arXiv:2405.00675).
        case sppoHard = "sppo_hard"
        /// Anchored preference optimization (D'Oosterlinck et al., 2024, arXiv:2408.06266, equations 7 and 8).
        case apoZero = "apo_zero"
        case apoDown = "apo_down"
        /// −log σ(βΔ per token).
        case sigmoidNorm = "sigmoid_norm"
    }

    /// One of several losses that are added up.
    package struct Term: Sendable, Hashable {
        package var kind: Kind
        package var weight: Double

        package init(_ kind: Kind, weight: Double = 1) {
            self.kind = kind
            self.weight = weight
        }
    }

    package var terms: [Term]
    /// β: how much the difference from the reference model counts.
    package var beta: Double
    /// ε of ``Kind/robust`` and ``Kind/exoPair``.
    package var labelSmoothing: Double

    package init(_ terms: [Term] = [Term(.sigmoid)], beta: Double = 0.1, labelSmoothing: Double = 0) {
        self.terms = terms
        self.beta = beta
        self.labelSmoothing = labelSmoothing
    }

    package var usesReference: Bool { true }
    package var learnsPrompt: Bool { false }
    package var likelihoodWeight: Double { terms.reduce(0) { $0 + ($1.kind == .sft ? $1.weight : 0) } }
    package var reportsLikelihood: Bool { false }

    package func evaluate(_ pair: ScoredPair) -> PairResult {
        let chosen = Dual(pair.chosen.logRatio, chosen: 1)
        let rejected = Dual(pair.rejected.logRatio, rejected: 1)
        let loss = terms.reduce(Dual(0)) { $0 + $1.weight * value(of: $1.kind, chosen, rejected, pair) }
        return PairResult(
            loss,
            PairResult.metrics(
                rewards: (beta * pair.chosen.logRatio, beta * pair.rejected.logRatio),
                logps: (pair.chosen.logProbability, pair.rejected.logProbability)))
    }

    private func value(of kind: Kind, _ chosen: Dual, _ rejected: Dual, _ pair: ScoredPair) -> Dual {
        let scaled = beta * (chosen - rejected)
        let (chosenReward, rejectedReward) = (beta * chosen, beta * rejected)
        let perToken = chosen / pair.chosen.count - rejected / pair.rejected.count
        switch kind {
        case .sigmoid: return -scaled.logSigmoid
        case .hinge: return (1 - scaled).rectified
        case .ipo: return (perToken - 1 / (2 * beta)).squared
        case .exoPair:
            let (first, second) = (log1p(-labelSmoothing), log(labelSmoothing))
            return scaled.sigmoid * (scaled.logSigmoid - first)
                + (-scaled).sigmoid * ((-scaled).logSigmoid - second)
        case .ncaPair:
            return -chosenReward.logSigmoid - 0.5 * (-chosenReward).logSigmoid - 0.5 * (-rejectedReward).logSigmoid
        case .robust:
            let clean = (labelSmoothing - 1) * scaled.logSigmoid
            let flipped = labelSmoothing * (-scaled).logSigmoid
            return (clean + flipped) / (1 - 2 * labelSmoothing)
        case .sft: return Dual(0)
        case .bcoPair: return -chosenReward.logSigmoid - (-rejectedReward).logSigmoid
        case .sppoHard:
            return (chosen - 0.5 / beta).squared + (rejected + 0.5 / beta).squared
        case .apoZero: return 1 - (chosenReward.sigmoid - rejectedReward.sigmoid)
        case .apoDown: return 1 - (scaled.sigmoid - chosenReward.sigmoid)
        case .sigmoidNorm: return -(beta * perToken).logSigmoid
        }
    }
}
