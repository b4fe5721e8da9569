internal import MenoMetrics

/// Notices that the evaluation loss rises while the training loss lies far below it.
struct OverfittingDetector: Sendable, Hashable, Codable {
    private var best: Point?
    private var evaluationsSinceBest = 0
    /// Training losses since the last evaluation, by their labels.
    private var weightedLoss = 0.0
    private var weight = 0.0
    private var trainLoss: Double?
    private var episode = Episode()

    init() {}

    var isOpen: Bool { episode.isOpen }

    mutating func observe(_ metrics: StepMetrics) {
        let labels = Double(max(1, metrics.labels))
        weightedLoss += metrics.loss * labels
        weight += labels
    }

    mutating func observe(_ metrics: EvaluationMetrics, configuration: MonitorConfiguration) -> AlertChange? {
        if weight > 0 { trainLoss = weightedLoss / weight }
        (weightedLoss, weight) = (0, 0)
        let loss = metrics.loss
        if let best, loss >= best.value {
            evaluationsSinceBest += 1
        } else {
            best = Point(step: metrics.step, value: loss)
            evaluationsSinceBest = 0
        }
        guard let best, let trainLoss else { return nil }
        let thresholds = configuration.alerts
        let gap = loss - trainLoss
        let bound = configuration.optimalGapRange.upperBound
        let rise = (loss - best.value) / max(abs(best.value), 1e-9)
        let verdict = Verdict(
            trouble: gap > bound && rise > thresholds.overfittingRise
                && evaluationsSinceBest >= thresholds.overfittingPatience,
            fine: gap <= bound || rise <= thresholds.overfittingRise / 2)
        return episode.observe(verdict, step: metrics.step, raiseAfter: 1, clearAfter: 1, onset: best.step) { start in
            Alert(
                kind: .overfitting, severity: .warning, startStep: start, detectedStep: metrics.step,
                message:
                    "The evaluation loss is rising: \(format(loss)) after \(format(best.value)) at step \(best.step), "
                    + "while the training loss is \(format(trainLoss)). The gap of \(format(gap)) is above \(bound).",
                advice:
                    "Use the model from step \(best.step). Train for fewer epochs, on more data, with more dropout or "
                    + "weight decay, or with a smaller rank.",
                values: [
                    "eval_loss": loss, "best_eval_loss": best.value, "best_step": Double(best.step),
                    "train_loss": trainLoss, "loss_gap": gap,
                ])
        }
    }
}
