internal import MenoMetrics

/// Contrastive preference optimization (Xu et al., 2024, arXiv:2401.08417) and SimPO (Meng et al., 2024, arXiv:2405.14734):
/// losses of the likelihoods themselves, without a reference model.
package struct CPOLoss: PairLoss {
    /// By TRL's names. ``ipo`` and ``simpo`` compare means over tokens, the others sums.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case sigmoid, hinge, ipo, simpo
    }

    package var kind: Kind
    package var beta: Double
    package var labelSmoothing: Double
    /// How much the negative log-likelihood of the chosen completions counts.
    package var alpha: Double
    /// The margin that ``Kind/simpo`` asks for.
    package var gamma: Double
    /// α of AlphaPO (Gupta et al., 2025, arXiv:2501.03884): rewards are (1 − p^−α) / α; 0: log p.
    package var rewardShape: Double

    package init(
        _ kind: Kind = .sigmoid, beta: Double = 0.1, labelSmoothing: Double = 0, alpha: Double = 1, gamma: Double = 0.5,
        rewardShape: Double = 0
    ) {
        self.kind = kind
        self.beta = beta
        self.labelSmoothing = labelSmoothing
        self.alpha = alpha
        self.gamma = gamma
        self.rewardShape = rewardShape
    }

    package var usesReference: Bool { false }
    package var learnsPrompt: Bool { false }
    package var likelihoodWeight: Double { alpha }
    package var reportsLikelihood: Bool { alpha != 0 }

    package func evaluate(_ pair: ScoredPair) -> PairResult {
        let isMean = kind == .ipo || kind == .simpo
        var chosen = Dual(pair.chosen.logProbability, chosen: 1)
        var rejected = Dual(pair.rejected.logProbability, rejected: 1)
        if isMean { (chosen, rejected) = (chosen / pair.chosen.count, rejected / pair.rejected.count) }
        let (first, second) = (shaped(chosen), shaped(rejected))
        let logits = first - second
        let loss: Dual
        switch kind {
        case .sigmoid: loss = smoothed(beta * logits)
        case .simpo: loss = smoothed(beta * (logits - gamma / beta))
        case .hinge: loss = (1 - beta * logits).rectified
        case .ipo: loss = (logits - 1 / (2 * beta)).squared
        }
        return PairResult(
            loss,
            PairResult.metrics(
                rewards: (beta * first.value, beta * second.value), logps: (chosen.value, rejected.value)))
    }

    private func shaped(_ logProbability: Dual) -> Dual {
        guard rewardShape != 0 else { return logProbability }
        return (1 - (-rewardShape * logProbability).exponential) / rewardShape
    }

    private func smoothed(_ x: Dual) -> Dual {
        (labelSmoothing - 1) * x.logSigmoid - labelSmoothing * (-x).logSigmoid
    }
}

/// Odds ratio preference optimization (Hong et al., 2024, arXiv:2403.07691, equations 4 to 7): the negative log-likelihood of the
/// chosen sequences, prompts included, and −β log σ of the log odds ratio of mean likelihoods.
package struct ORPOLoss: PairLoss {
    /// λ of the paper.
    package var beta: Double

    package init(beta: Double = 0.1) { self.beta = beta }

    package var usesReference: Bool { false }
    package var learnsPrompt: Bool { true }
    package var likelihoodWeight: Double { 1 }
    package var reportsLikelihood: Bool { true }

    package func evaluate(_ pair: ScoredPair) -> PairResult {
        let chosen = Dual(pair.chosen.logProbability, chosen: 1) / pair.chosen.count
        let rejected = Dual(pair.rejected.logProbability, rejected: 1) / pair.rejected.count
        let logOdds = chosen - rejected - (chosen.logOneMinusExponential - rejected.logOneMinusExponential)
        let ratio = logOdds.logSigmoid
        var metrics = PairResult.metrics(
            rewards: (beta * chosen.value, beta * rejected.value), logps: (chosen.value, rejected.value))
        metrics[.logOddsRatio] = ratio.value
        metrics[.logOddsChosen] = logOdds.value
        return PairResult(-beta * ratio, metrics)
    }
}
