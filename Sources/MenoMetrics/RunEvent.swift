/// Everything that a run reports, in order.
public enum RunEvent: Sendable, Hashable, Codable {
    case started(RunDescription)
    case step(StepMetrics)
    case evaluated(EvaluationMetrics)
    case resources(ResourceUsage)
    case checkpointSaved(CheckpointRecord)
    case checkpointRemoved(CheckpointRecord)
    /// Saving a checkpoint failed; training continues.
    case checkpointFailed(kind: CheckpointRecord.Kind, step: Int, reason: String)
    /// The model's answers to the probe questions.
    case probed(step: Int, answers: [ProbeAnswer])
    /// A step was not applied because its loss or gradient was not finite.
    case stepSkipped(step: Int, reason: String, records: [String])
    case alertBegan(Alert)
    /// An alert has ended; it contains its beginning and its end.
    case alertEnded(Alert)
    case notice(String)
    case warning(String)
    case finished(RunOutcome)
}

/// What is known about a run before its first step.
public struct RunDescription: Sendable, Hashable, Codable {
    /// The model's name or path.
    public var model: String
    /// The model's `model_type`.
    public var architecture: String
    /// The device: `cpu`, `cuda:0`, `mps`.
    public var device: String
    /// The type of frozen weights in memory.
    public var dtype: String
    /// Training examples.
    public var trainSamples: Int
    /// Held-out examples.
    public var evaluationSamples: Int
    /// The total number of optimizer steps.
    public var totalSteps: Int
    /// The number of optimizer steps per epoch.
    public var stepsPerEpoch: Int
    /// The number of trained parameters.
    public var trainedParameters: Int
    /// The number of all parameters, trained and frozen.
    public var totalParameters: Int
    /// The step that the run was resumed from; 0 for a new run.
    public var resumedAtStep: Int
    /// The number of optimizer steps between two log lines, and so between two points of a chart; `nil` if it was not recorded.
    public var loggingSteps: Int?
    /// Whether the first step is logged separately; `nil` if it was not recorded.
    public var logsFirstStep: Bool?
    /// −Σ p log p over the labels that are trained on, p the share of each token among them, in nats: the lowest training loss of
    /// a model that ignores the context. `nil` where it was not recorded, or if the loss differs (label smoothing).
    public var labelEntropy: Double?
    /// The number of optimizer steps between two evaluations; another one follows the last step. `nil` if there are none or it
    /// was not recorded.
    public var evaluationSteps: Int?
    /// The number of tokens in an evaluation; `nil` if it was not recorded.
    public var evaluationTokens: Int?
    /// The number of processes; `nil` for a single one.
    public var processes: Int?

    package init(
        model: String, architecture: String, device: String, dtype: String, trainSamples: Int,
        evaluationSamples: Int, totalSteps: Int, stepsPerEpoch: Int, trainedParameters: Int, totalParameters: Int,
        resumedAtStep: Int = 0, loggingSteps: Int? = nil, logsFirstStep: Bool? = nil,
        labelEntropy: Double? = nil, evaluationSteps: Int? = nil, evaluationTokens: Int? = nil, processes: Int? = nil
    ) {
        self.processes = processes
        self.model = model
        self.architecture = architecture
        self.device = device
        self.dtype = dtype
        self.trainSamples = trainSamples
        self.evaluationSamples = evaluationSamples
        self.totalSteps = totalSteps
        self.stepsPerEpoch = stepsPerEpoch
        self.trainedParameters = trainedParameters
        self.totalParameters = totalParameters
        self.resumedAtStep = resumedAtStep
        self.loggingSteps = loggingSteps
        self.logsFirstStep = logsFirstStep
        self.labelEntropy = labelEntropy
        self.evaluationSteps = evaluationSteps
        self.evaluationTokens = evaluationTokens
    }
}

/// A checkpoint on disk.
public struct CheckpointRecord: Sendable, Hashable, Codable {
    /// Why a checkpoint was saved.
    public enum Kind: String, Sendable, Hashable, Codable {
        case regular
        /// Kept because the monitor found the run stable.
        case stable
        /// The final adapter or model.
        case final
    }

    /// Optimizer steps done.
    public var step: Int
    /// Why it was saved.
    public var kind: Kind
    /// The checkpoint's folder, relative to the run's folder.
    public var path: String
    /// Duration in seconds.
    public var seconds: Double

    package init(step: Int, kind: Kind, path: String, seconds: Double) {
        self.step = step
        self.kind = kind
        self.path = path
        self.seconds = seconds
    }
}

/// The model's answer to one of the monitor's questions.
public struct ProbeAnswer: Sendable, Hashable, Codable {
    /// The question.
    public var question: String
    /// The generated answer.
    public var answer: String
    /// Whether the answer ended by itself before reaching the token limit.
    public var isComplete: Bool
    /// Tokens generated.
    public var tokens: Int
    /// Duration in seconds.
    public var seconds: Double

    package init(question: String, answer: String, isComplete: Bool, tokens: Int, seconds: Double) {
        self.question = question
        self.answer = answer
        self.isComplete = isComplete
        self.tokens = tokens
        self.seconds = seconds
    }
}

/// How a run ended.
public struct RunOutcome: Sendable, Hashable, Codable {
    /// Why a run ended.
    public enum Reason: String, Sendable, Hashable, Codable {
        case completed
        case stoppedEarly
        case interrupted
        case failed
    }

    /// Why it ended.
    public var reason: Reason
    /// Details of the reason, if there are any.
    public var message: String?
    /// Optimizer steps done.
    public var step: Int
    /// Duration in seconds.
    public var seconds: Double
    /// The part of ``seconds`` that observers took to handle events and save their state. It includes neither probe answers,
    /// which have a separate duration, nor work after the end of the run, such as the report.
    public var observerSeconds: Double?
    /// The step with the best value of the metric that chooses the best model.
    public var bestStep: Int?
    /// The best value of the metric that chooses the best model.
    public var bestMetric: Double?

    package init(
        reason: Reason, message: String? = nil, step: Int, seconds: Double, bestStep: Int? = nil,
        bestMetric: Double? = nil, observerSeconds: Double? = nil
    ) {
        self.reason = reason
        self.message = message
        self.step = step
        self.seconds = seconds
        self.bestStep = bestStep
        self.bestMetric = bestMetric
        self.observerSeconds = observerSeconds
    }
}
