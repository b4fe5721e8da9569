public import MenoMetrics

/// A value of an evaluation by which models are compared, with its direction.
public enum ModelMetric: String, Sendable, Hashable, CaseIterable, Codable {
    case loss, perplexity
    case tokenAccuracy = "token_accuracy"
    case completionLoss = "completion_loss"
    case completionPerplexity = "completion_perplexity"

    public var greaterIsBetter: Bool { self == .tokenAccuracy }

    /// - Returns: `nil` where the evaluation has no such value.
    public func value(_ metrics: EvaluationMetrics) -> Double? {
        switch self {
        case .loss: metrics.loss
        case .perplexity: metrics.perplexity
        case .tokenAccuracy: metrics.tokenAccuracy
        case .completionLoss: metrics.completionLoss
        case .completionPerplexity: metrics.completionPerplexity
        }
    }

    /// - Returns: `nil` where a line of the log has no such value.
    func value(_ entry: TrainerState.LogEntry) -> Double? {
        switch self {
        case .loss: entry.evalLoss
        case .perplexity: entry.evalPerplexity
        case .tokenAccuracy: entry.evalTokenAccuracy
        case .completionLoss, .completionPerplexity: nil
        }
    }
}

/// The best evaluation so far, and how long ago it was.
struct BestModel: Codable, Hashable {
    private(set) var step: Int?
    private(set) var value: Double?
    /// Evaluations since the last one that was better by more than the threshold.
    private(set) var evaluationsWithoutImprovement = 0
    /// What ``value`` is one of. Older checkpoints do not tell.
    private(set) var metric: ModelMetric?

    /// - Returns: whether this evaluation is the best. A value that is not a number never is.
    mutating func offer(_ metrics: EvaluationMetrics, _ metric: ModelMetric, threshold: Double) -> Bool {
        guard let offered = metric.value(metrics) else { return false }
        return offer(offered, ofStep: metrics.step, metric, threshold: threshold)
    }

    private mutating func offer(_ offered: Double, ofStep step: Int, _ metric: ModelMetric, threshold: Double) -> Bool {
        self.metric = metric
        guard !offered.isNaN else {
            evaluationsWithoutImprovement += 1
            return false
        }
        let gain = value.map { metric.greaterIsBetter ? offered - $0 : $0 - offered } ?? .infinity
        evaluationsWithoutImprovement = gain > threshold ? 0 : evaluationsWithoutImprovement + 1
        guard gain > 0 else { return false }
        (self.step, value) = (step, offered)
        return true
    }

    /// The best by a metric that may be another than before: values of two cannot be compared, so it is found anew in the
    /// log. Where that lacks the metric, there is no best yet.
    func judged(by metric: ModelMetric, threshold: Double, evaluations: [TrainerState.LogEntry]) -> BestModel {
        guard let before = self.metric, before != metric else { return self }
        var best = BestModel()
        for entry in evaluations {
            guard let value = metric.value(entry) else { continue }
            _ = best.offer(value, ofStep: entry.step, metric, threshold: threshold)
        }
        return best
    }
}
