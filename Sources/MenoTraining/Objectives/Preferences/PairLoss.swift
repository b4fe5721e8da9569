package import MenoMetrics

/// A loss of pairs, and what is reported of it.
package protocol PairLoss: Sendable {
    /// Whether it compares with a reference model.
    var usesReference: Bool { get }
    /// Whether the loss looks at the likelihood of the prompt too.
    var learnsPrompt: Bool { get }
    /// How much the mean negative log-likelihood of the chosen tokens of a step, as far as they have labels, is added to the mean
    /// over its pairs.
    var likelihoodWeight: Double { get }
    /// Whether that mean is reported.
    var reportsLikelihood: Bool { get }

    /// The loss of a pair and its gradient, and what is measured of it.
    func evaluate(_ pair: ScoredPair) -> PairResult
}

/// The two sides of a pair as a model scores them.
package struct ScoredPair: Sendable {
    package struct Side: Sendable, Hashable {
        /// Σ log p of the completion's tokens, in nats.
        package var logProbability: Double
        /// The same by the reference model; 0 where none is asked.
        package var reference: Double
        /// Tokens of the completion.
        package var tokens: Int

        package init(logProbability: Double, reference: Double, tokens: Int) {
            self.logProbability = logProbability
            self.reference = reference
            self.tokens = tokens
        }

        /// log p − log p of the reference.
        var logRatio: Double { logProbability - reference }
        var count: Double { Double(max(1, tokens)) }
    }

    package var chosen: Side
    package var rejected: Side

    package init(chosen: Side, rejected: Side) {
        self.chosen = chosen
        self.rejected = rejected
    }
}

/// What a pair costs.
package struct PairResult: Sendable {
    package var loss: Double
    /// The derivatives of the loss with respect to Σ log p of each side.
    package var chosenGradient: Double
    package var rejectedGradient: Double
    /// What is measured; the mean over all pairs is reported.
    package var metrics: [ObjectiveMetric: Double]

    init(_ loss: Dual, _ metrics: [ObjectiveMetric: Double]) {
        self.loss = loss.value
        chosenGradient = loss.chosen
        rejectedGradient = loss.rejected
        self.metrics = metrics
    }

    /// What every loss of pairs reports.
    static func metrics(
        rewards: (chosen: Double, rejected: Double), logps: (chosen: Double, rejected: Double)
    ) -> [ObjectiveMetric: Double] {
        [
            .rewardsChosen: rewards.chosen, .rewardsRejected: rewards.rejected,
            .rewardAccuracies: rewards.chosen > rewards.rejected ? 1 : 0,
            .rewardMargins: rewards.chosen - rewards.rejected,
            .logpsChosen: logps.chosen, .logpsRejected: logps.rejected,
        ]
    }
}
