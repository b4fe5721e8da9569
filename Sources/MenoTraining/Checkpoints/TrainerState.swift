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
        var evalCompletionLoss: Double?
        /// What an objective measured beside its loss, in a line of steps or of an evaluation.
        var objective: ObjectiveMetrics?
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
    var statefulCallbacks: [String: CallbackState]? = CallbackState.ofTrainer
    var totalFlos: Double? = 0
    var trainBatchSize: Int

    /// The state of one of Trainer's callbacks. It looks each of its own up by name when it saves, and fails where one is
    /// missing. Source: transformers' `Trainer._save_checkpoint`, `TrainerControl.state`.
    enum CallbackState: Codable, Hashable {
        /// Nothing to take over: Trainer appends what its own callback has.
        case none
        case state(args: [String: Bool])

        static let ofTrainer: [String: CallbackState] = [
            "EarlyStoppingCallback": .none,
            "TrainerControl": .state(args: [
                "should_epoch_stop": false, "should_evaluate": false, "should_log": false, "should_save": true,
                "should_training_stop": false,
            ]),
        ]

        private enum CodingKeys: CodingKey { case args, attributes }

        init(from decoder: any Decoder) throws {
            guard let values = try? decoder.container(keyedBy: CodingKeys.self) else {
                self = .none
                return
            }
            self = .state(args: (try? values.decode([String: Bool].self, forKey: .args)) ?? [:])
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .none: _ = encoder.unkeyedContainer()
            case .state(let args):
                var values = encoder.container(keyedBy: CodingKeys.self)
                try values.encode(args, forKey: .args)
                try values.encode([String: Bool](), forKey: .attributes)
            }
        }
    }
}
