internal import Foundation
package import MenoMetrics

/// A stable checkpoint on disk, as `stable_checkpoints_summary.json` lists it.
package struct StableCheckpoint: Sendable, Hashable, Codable {
    package var step: Int
    /// The folder, relative to the run's own.
    package var path: String
    package var metrics: StabilityMetrics
    /// The evaluation loss of exactly these weights, in nats: what decides which one goes first.
    package var evaluationLoss: Double

    package init(step: Int, path: String, metrics: StabilityMetrics, evaluationLoss: Double) {
        self.step = step
        self.path = path
        self.metrics = metrics
        self.evaluationLoss = evaluationLoss
    }
}

/// The content of `stable_checkpoints_summary.json`.
package struct StableCheckpointsSummary: Sendable, Hashable, Codable {
    package struct Entry: Sendable, Hashable, Codable {
        package var step: Int
        package var path: String
        package var metrics: StabilityMetrics
    }

    package var totalCheckpoints: Int
    package var checkpoints: [Entry]

    package init(_ checkpoints: [StableCheckpoint]) {
        totalCheckpoints = checkpoints.count
        self.checkpoints = checkpoints.map { Entry(step: $0.step, path: $0.path, metrics: $0.metrics) }
    }

    private enum CodingKeys: String, CodingKey {
        case totalCheckpoints = "total_checkpoints"
        case checkpoints
    }
}

/// The content of a stable checkpoint's `stability_metrics.json`.
package struct StabilityRecord: Sendable, Hashable, Codable {
    package var step: Int
    package var metrics: StabilityMetrics
    /// By the names that `Trainer` gives them: `eval_loss`, `eval_perplexity`, …
    package var evaluationMetrics: [String: Double]
    /// ISO 8601.
    package var timestamp: String

    package init(metrics: StabilityMetrics, evaluation: EvaluationMetrics, timestamp: String) {
        step = evaluation.step
        self.metrics = metrics
        self.timestamp = timestamp
        let named: [(String, Double?)] = [
            ("eval_loss", evaluation.loss), ("eval_perplexity", evaluation.perplexity),
            ("eval_token_accuracy", evaluation.tokenAccuracy), ("eval_completion_loss", evaluation.completionLoss),
            ("eval_completion_perplexity", evaluation.completionPerplexity),
            ("eval_samples", Double(evaluation.samples)),
            ("eval_tokens", Double(evaluation.tokens)), ("eval_runtime", evaluation.seconds),
            ("epoch", evaluation.epoch),
        ]
        evaluationMetrics = [:]
        for (name, value) in named {
            // JSON has no other numbers.
            if let value, value.isFinite { evaluationMetrics[name] = value }
        }
    }

    private enum CodingKeys: String, CodingKey {
        case step, metrics, timestamp
        case evaluationMetrics = "eval_metrics"
    }
}
