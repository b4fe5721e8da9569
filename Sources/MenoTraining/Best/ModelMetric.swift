public import MenoMetrics

/// A value of an evaluation by which models are compared, with its direction.
public enum ModelMetric: String, Sendable, Hashable, CaseIterable {
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
}

/// The best evaluation so far, and how long ago it was.
struct BestModel: Codable, Hashable {
    private(set) var step: Int?
    private(set) var value: Double?
    /// Evaluations since the last one that was better by more than the threshold.
    private(set) var evaluationsWithoutImprovement = 0

    /// - Returns: whether this evaluation is the best. A value that is not a number never is.
    mutating func offer(_ metrics: EvaluationMetrics, _ metric: ModelMetric, threshold: Double) -> Bool {
        guard let offered = metric.value(metrics) else { return false }
        guard !offered.isNaN else {
            evaluationsWithoutImprovement += 1
            return false
        }
        let gain = value.map { metric.greaterIsBetter ? offered - $0 : $0 - offered } ?? .infinity
        evaluationsWithoutImprovement = gain > threshold ? 0 : evaluationsWithoutImprovement + 1
        guard gain > 0 else { return false }
        (step, value) = (metrics.step, offered)
        return true
    }
}
