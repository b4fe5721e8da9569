internal import Foundation
package import MenoMetrics

/// A value of an evaluation by which models are compared, with its direction.
public enum ModelMetric: String, Sendable, Hashable, CaseIterable, Codable {
    case loss, perplexity
    case tokenAccuracy = "token_accuracy"
    case completionLoss = "completion_loss"
    case completionPerplexity = "completion_perplexity"

    /// The direction: accuracy is better the higher it is; losses and perplexities, the lower.
    public var greaterIsBetter: Bool { self == .tokenAccuracy }

    /// Whether a value is better than another one; with no other, it is. A value that is not a number never is.
    func isBetter(_ value: Double, than other: Double?, by threshold: Double = 0) -> Bool {
        guard !value.isNaN else { return false }
        return other.map { (greaterIsBetter ? value - $0 : $0 - value) > threshold } ?? true
    }

    /// - Returns: `nil` where the evaluation has no such value.
    package func value(_ metrics: EvaluationMetrics) -> Double? {
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
        case .completionLoss: entry.evalCompletionLoss
        case .completionPerplexity: entry.evalCompletionLoss.map { exp($0) }
        }
    }
}
