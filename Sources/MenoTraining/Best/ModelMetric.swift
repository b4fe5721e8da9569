internal import Foundation
package import MenoMetrics

/// An evaluation metric that models are compared by.
public enum ModelMetric: String, Sendable, Hashable, CaseIterable, Codable {
    case loss, perplexity
    case tokenAccuracy = "token_accuracy"
    case completionLoss = "completion_loss"
    case completionPerplexity = "completion_perplexity"
    case rewardAccuracies = "rewards/accuracies"
    case rewardMargins = "rewards/margins"

    /// Whether higher is better: true for accuracy, rewards and margins, false for losses and perplexity.
    public var greaterIsBetter: Bool { [.tokenAccuracy, .rewardAccuracies, .rewardMargins].contains(self) }

    /// Whether only preference objectives measure it.
    package var isOfPreferences: Bool { [.rewardAccuracies, .rewardMargins].contains(self) }

    /// Whether a value is better than another. Any value is better than none, and NaN is never better.
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
        case .rewardAccuracies: metrics.objective?[.rewardAccuracies]
        case .rewardMargins: metrics.objective?[.rewardMargins]
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
        case .rewardAccuracies: entry.objective?[.rewardAccuracies]
        case .rewardMargins: entry.objective?[.rewardMargins]
        }
    }
}
