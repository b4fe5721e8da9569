internal import MenoMetrics

/// The steps between two lines of the log.
struct LogWindow: Codable {
    private var lossSum = 0.0
    private var steps = 0
    private var tokens = 0
    private var seconds = 0.0
    /// Σ of what the objective measured; `nil` where it measures nothing beside its loss.
    private var accuracySum: Double?
    private var marginSum: Double?

    // What another process computed tells nothing of the speed of this one.
    private enum CodingKeys: CodingKey { case lossSum, steps, accuracySum, marginSum }

    mutating func add(_ metrics: StepMetrics) {
        lossSum += metrics.loss
        steps += 1
        tokens += metrics.tokens
        seconds += metrics.seconds
        if let accuracy = metrics.objective?[.rewardAccuracies] { accuracySum = (accuracySum ?? 0) + accuracy }
        if let margin = metrics.objective?[.rewardMargins] { marginSum = (marginSum ?? 0) + margin }
    }

    /// The mean over the steps, as Trainer's log and `trainer_state.json` have it.
    var loss: Double { lossSum / Double(max(1, steps)) }

    /// The means of the share of pairs that are ranked correctly, and of the margin of their rewards.
    var accuracy: Double? { accuracySum.map { $0 / Double(max(1, steps)) } }
    var margin: Double? { marginSum.map { $0 / Double(max(1, steps)) } }

    var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
