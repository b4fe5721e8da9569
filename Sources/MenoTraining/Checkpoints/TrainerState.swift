internal import Foundation
internal import MenoMetrics

/// `trainer_state.json` in Hugging Face's shape.
struct TrainerState: Codable {
    static let name = RunLayout.trainerStateName

    /// A line of the log: losses of steps or of an evaluation.
    struct LogEntry: Codable, Hashable {
        var epoch: Double
        var step: Int
        var loss: Double?
        var gradNorm: Double?
        var learningRate: Double?
        var evalLoss: Double?
        var evalPerplexity: Double?
        var evalTokenAccuracy: Double?
    }

    var bestGlobalStep: Int?
    var bestMetric: Double?
    var bestModelCheckpoint: String?
    var epoch: Double
    var evalSteps: Int
    var globalStep: Int
    var isHyperParamSearch = false
    var isLocalProcessZero = true
    var isWorldProcessZero = true
    var logHistory: [LogEntry]
    var loggingSteps: Int
    var maxSteps: Int
    var numInputTokensSeen: Int
    var numTrainEpochs: Double
    var saveSteps: Int
    var trainBatchSize: Int
}
