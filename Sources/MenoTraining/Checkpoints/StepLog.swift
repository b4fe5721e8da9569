internal import MenoMetrics

/// Gathers the log of a run: the mean loss since the last line, every so many steps, and each evaluation. The mean is one of
/// steps, not of labels, as Trainer's.
struct StepLog: Codable {
    private(set) var entries: [TrainerState.LogEntry] = []
    private(set) var tokens = 0
    private var lossSum = 0.0
    private var steps = 0

    init(entries: [TrainerState.LogEntry] = []) { self.entries = entries }

    mutating func add(_ metrics: StepMetrics, isLogged: Bool) {
        tokens += metrics.tokens
        lossSum += metrics.loss
        steps += 1
        guard isLogged else { return }
        entries.append(
            .init(
                epoch: metrics.epoch, step: metrics.step, loss: lossSum / Double(steps),
                gradNorm: metrics.gradientNorm, learningRate: metrics.learningRate))
        (lossSum, steps) = (0, 0)
    }

    mutating func add(_ metrics: EvaluationMetrics) {
        entries.append(
            .init(
                epoch: metrics.epoch, step: metrics.step, evalLoss: metrics.loss,
                evalPerplexity: metrics.perplexity, evalTokenAccuracy: metrics.tokenAccuracy,
                evalCompletionLoss: metrics.completionLoss))
    }

    func hasEvaluation(ofStep step: Int) -> Bool { entries.contains { $0.step == step && $0.evalLoss != nil } }
}
