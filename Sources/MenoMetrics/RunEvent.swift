/// Everything that a run tells while it goes on, in order.
public enum RunEvent: Sendable, Hashable, Codable {
    case started(RunDescription)
    case step(StepMetrics)
    case evaluated(EvaluationMetrics)
    case resources(ResourceUsage)
    case checkpointSaved(CheckpointRecord)
    case checkpointRemoved(CheckpointRecord)
    /// A save that did not succeed; training went on.
    case checkpointFailed(kind: CheckpointRecord.Kind, step: Int, reason: String)
    /// Answers that the model gave to the probe questions.
    case probed(step: Int, answers: [ProbeAnswer])
    /// A step that was not applied, because its loss or gradient was not finite.
    case stepSkipped(step: Int, reason: String, records: [String])
    case alertBegan(Alert)
    /// The alert as it began, with its end.
    case alertEnded(Alert)
    case notice(String)
    case warning(String)
    case finished(RunOutcome)
}

/// What is known of a run before its first step.
public struct RunDescription: Sendable, Hashable, Codable {
    /// The model's name or path.
    public var model: String
    /// The model's `model_type`.
    public var architecture: String
    /// Where it computes: `cpu`, `cuda:0`, `mps`.
    public var device: String
    /// What frozen weights are kept in.
    public var dtype: String
    /// Training examples.
    public var trainSamples: Int
    /// Held-out examples.
    public var evaluationSamples: Int
    /// Optimizer steps of the whole run.
    public var totalSteps: Int
    /// Optimizer steps of an epoch.
    public var stepsPerEpoch: Int
    /// Values that the optimizer changes, and all values of the model.
    public var trainedParameters: Int
    /// Parameters of the model, trained and frozen.
    public var totalParameters: Int
    /// The step that the run goes on from; 0 for a new run.
    public var resumedAtStep: Int
    /// Optimizer steps between two lines of the log, which make one point of a series; `nil` where it was not recorded.
    public var loggingSteps: Int?
    /// Whether the first step has a line of its own; `nil` where it was not recorded.
    public var logsFirstStep: Bool?
    /// −Σ p log p over the labels that are trained on, p the share of each token among them, in nats: the least training
    /// loss of a model that does not look at what stands before a label. `nil` where it was not recorded, or the loss is
    /// another (label smoothing).
    public var labelEntropy: Double?
    /// Optimizer steps between two evaluations, of which there is one after the last step, too; `nil` where there are none, or
    /// it was not recorded.
    public var evaluationSteps: Int?
    /// Tokens of an evaluation; `nil` where it was not recorded.
    public var evaluationTokens: Int?
    /// Processes that train together; `nil` where one trains alone.
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
        /// The adapter or model that the run ends with.
        case final
    }

    /// Optimizer steps done.
    public var step: Int
    /// Why it was saved.
    public var kind: Kind
    /// The folder, relative to the run's own.
    public var path: String
    /// How long it took, in seconds.
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
    /// What was asked.
    public var question: String
    /// What the model generated.
    public var answer: String
    /// Whether the answer ended by itself, before the limit of tokens.
    public var isComplete: Bool
    /// Tokens generated.
    public var tokens: Int
    /// How long it took, in seconds.
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
    /// More about the reason, where there is more to say.
    public var message: String?
    /// Optimizer steps done.
    public var step: Int
    /// How long it took, in seconds.
    public var seconds: Double
    /// The part of ``seconds`` that observers took: what they did with the events they got, and to write down
    /// their state. Probe answers, which tell their own time, are not in it, nor is what comes after the end, as a report.
    public var observerSeconds: Double?
    /// The step with the best value of the metric that chooses the best model.
    public var bestStep: Int?
    /// The value of the best model, by the run's metric.
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
