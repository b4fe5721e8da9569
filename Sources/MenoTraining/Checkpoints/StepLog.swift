internal import MenoMetrics

/// Gathers the log of a run: the mean loss since the last line, every so many steps, and each evaluation. The mean is one of
/// steps, not of labels, as Trainer's.
struct StepLog: Codable {
    private(set) var entries: [TrainerState.LogEntry] = []
    private(set) var tokens = 0
    private var lossSum = 0.0
    private var steps = 0
    /// Σ of what the objective measured since the last line, and over how many steps; `nil` where it measures nothing else.
    private var objective: [String: Sum]?

    private struct Sum: Codable {
        var value = 0.0
        var steps = 0
    }

    init(entries: [TrainerState.LogEntry] = []) { self.entries = entries }

    mutating func add(_ metrics: StepMetrics, isLogged: Bool) {
        tokens += metrics.tokens
        lossSum += metrics.loss
        steps += 1
        for (metric, value) in metrics.objective?.values ?? [:] {
            let sum = objective?[metric.rawValue] ?? Sum()
            objective = objective ?? [:]
            objective?[metric.rawValue] = Sum(value: sum.value + value, steps: sum.steps + 1)
        }
        guard isLogged else { return }
        entries.append(
            .init(
                epoch: metrics.epoch, step: metrics.step, loss: lossSum / Double(steps),
                gradNorm: metrics.gradientNorm, learningRate: metrics.learningRate,
                objective: meanObjective))
        (lossSum, steps, objective) = (0, 0, nil)
    }

    private var meanObjective: ObjectiveMetrics? {
        objective.map { sums in
            let means = sums.compactMap { name, sum in
                ObjectiveMetric(rawValue: name).map { ($0, sum.value / Double(sum.steps)) }
            }
            return ObjectiveMetrics(Dictionary(uniqueKeysWithValues: means))
        }
    }

    mutating func add(_ metrics: EvaluationMetrics) {
        entries.append(
            .init(
                epoch: metrics.epoch, step: metrics.step, evalLoss: metrics.loss,
                evalPerplexity: metrics.objective == nil ? metrics.perplexity : nil,
                evalTokenAccuracy: metrics.tokenAccuracy, evalCompletionLoss: metrics.completionLoss,
                objective: metrics.objective))
    }

    func hasEvaluation(ofStep step: Int) -> Bool { entries.contains { $0.step == step && $0.evalLoss != nil } }
}
