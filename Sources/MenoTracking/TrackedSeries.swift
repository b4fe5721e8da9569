internal import Foundation
internal import MenoMetrics

/// One value of a series.
struct TrackedPoint: Sendable, Hashable {
    var key: String
    var value: Double
    var step: Int
    /// Milliseconds since 1970.
    var time: Int64
}

/// Turns events into points, by the names that `Trainer` gives them and with a point for each line of the log: the loss is the mean
/// over its steps, as in `trainer_state.json`.
struct TrackedSeries {
    private var description: RunDescription?
    private var lossSum = 0.0
    private var tokens = 0
    private var seconds = 0.0
    private var steps = 0
    private var objectiveSums: [ObjectiveMetric: Double] = [:]

    mutating func points(of event: RunEvent, time: Date) -> [TrackedPoint] {
        switch event {
        case .started(let description):
            self.description = description
            return []
        case .step(let metrics): return points(of: metrics, time)
        case .evaluated(let metrics): return Self.points(of: metrics, time)
        case .resources(let usage):
            var values = [("memory/resident_mib", Double(usage.resident) / 1_048_576)]
            for accelerator in usage.accelerators {
                values.append(("memory/gpu_\(accelerator.index)_mib", Double(accelerator.allocated) / 1_048_576))
            }
            return Self.points(values, step: usage.step, time)
        default: return []
        }
    }

    private mutating func points(of metrics: StepMetrics, _ time: Date) -> [TrackedPoint] {
        lossSum += metrics.loss
        tokens += metrics.tokens
        seconds += metrics.seconds
        steps += 1
        for (metric, value) in metrics.objective?.ordered ?? [] { objectiveSums[metric, default: 0] += value }
        let isFirst = metrics.step == 1 && description?.logsFirstStep ?? false
        guard
            metrics.step % max(1, description?.loggingSteps ?? 1) == 0 || metrics.step == description?.totalSteps
                || isFirst
        else { return [] }
        var values = [
            ("loss", lossSum / Double(steps)), ("grad_norm", metrics.gradientNorm),
            ("learning_rate", metrics.learningRate), ("epoch", metrics.epoch),
        ]
        if seconds > 0 { values.append(("tokens_per_second", Double(tokens) / seconds)) }
        values += ObjectiveMetric.allCases.compactMap { metric in
            objectiveSums[metric].map { (metric.rawValue, $0 / Double(steps)) }
        }
        (lossSum, tokens, seconds, steps, objectiveSums) = (0, 0, 0, 0, [:])
        return Self.points(values, step: metrics.step, time)
    }

    private static func points(of metrics: EvaluationMetrics, _ time: Date) -> [TrackedPoint] {
        var values = [
            ("eval_loss", metrics.loss), ("eval_token_accuracy", metrics.tokenAccuracy),
            ("eval_runtime", metrics.seconds),
        ]
        if metrics.seconds > 0 {
            values.append(("eval_samples_per_second", Double(metrics.samples) / metrics.seconds))
        }
        // exp of a loss of preferences is no perplexity.
        if metrics.objective == nil { values.append(("eval_perplexity", metrics.perplexity)) }
        if let loss = metrics.completionLoss { values.append(("eval_completion_loss", loss)) }
        values += (metrics.objective?.ordered ?? []).map { ("eval_\($0.metric.rawValue)", $0.value) }
        return points(values, step: metrics.step, time)
    }

    private static func points(_ values: [(String, Double)], step: Int, _ time: Date) -> [TrackedPoint] {
        let milliseconds = Int64(time.timeIntervalSince1970 * 1000)
        return values.filter(\.1.isFinite).map {
            TrackedPoint(key: $0.0, value: $0.1, step: step, time: milliseconds)
        }
    }
}
