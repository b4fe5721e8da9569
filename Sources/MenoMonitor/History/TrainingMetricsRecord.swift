/// The content of `training_metrics.json`.
///
/// The seven keys are plain lists, as the original diary has them: each series holds only what was measured, so their
/// lengths differ (an evaluation loss for each evaluation, a training loss for each log interval), and `step` lists every
/// step at which anything was measured. `series_steps` tells for each of the six series the step of each of its values.
package struct TrainingMetricsRecord: Sendable, Hashable, Codable {
    package var step: [Int]
    package var trainLoss: [Double]
    package var evaluationLoss: [Double]
    package var learningRate: [Double]
    package var perplexity: [Double]
    package var gradientNorm: [Double]
    /// MiB.
    package var gpuMemoryUsage: [Double]
    package var seriesSteps: [String: [Int]]

    package init(_ history: History) {
        step = history.steps
        trainLoss = history.trainLoss.values
        evaluationLoss = history.evaluationLoss.values
        learningRate = history.learningRate.values
        perplexity = history.perplexity.values
        gradientNorm = history.gradientNorm.values
        gpuMemoryUsage = history.gpuMemoryUsage.values
        seriesSteps = [
            CodingKeys.trainLoss.rawValue: history.trainLoss.steps,
            CodingKeys.evaluationLoss.rawValue: history.evaluationLoss.steps,
            CodingKeys.learningRate.rawValue: history.learningRate.steps,
            CodingKeys.perplexity.rawValue: history.perplexity.steps,
            CodingKeys.gradientNorm.rawValue: history.gradientNorm.steps,
            CodingKeys.gpuMemoryUsage.rawValue: history.gpuMemoryUsage.steps,
        ]
    }

    private enum CodingKeys: String, CodingKey {
        case step
        case trainLoss = "train_loss"
        case evaluationLoss = "eval_loss"
        case learningRate = "learning_rate"
        case perplexity
        case gradientNorm = "grad_norm"
        case gpuMemoryUsage = "gpu_memory_usage"
        case seriesSteps = "series_steps"
    }
}
