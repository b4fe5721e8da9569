package import MenoData

/// How a model is trained, with the names of `TrainingArguments`. Defaults are those of the reference notebook,
/// except for a single epoch.
public struct TrainingArguments: Sendable, Hashable {
    /// What to minimize. Default: supervised fine-tuning.
    public var objective = ObjectiveOptions()
    /// Epochs (passes over the training data); with a fraction, training ends within an epoch. Default 1; 30 in
    /// `RUN.yaml`.
    public var epochs = 1.0
    /// The total number of optimizer steps; overrides ``epochs``. `nil`: determined by the epochs.
    public var maxSteps: Int?
    /// The peak learning rate. Default 2e-4.
    public var learningRate = 2e-4
    /// The schedule after the warm-up. Default cosine.
    public var schedule = LearningRateSchedule.Course.cosine
    /// The share of all steps used for the warm-up, rounded up. Default 0.1.
    public var warmupRatio = 0.1
    /// Warm-up steps, or a share of all steps; overrides ``warmupRatio`` unless it is 0.
    public var warmupSteps: StepCount = 0
    /// Options of individual schedules.
    public var scheduleOptions = LearningRateSchedule.Options()
    /// The optimizer and its hyperparameters. Default: AdamW with a weight decay of 0.01, which biases and norms are
    /// exempt from.
    public var optimizer = OptimizerOptions(weightDecay: 0.01)
    /// The maximum gradient norm; larger gradients are scaled down to it. `nil`: no clipping. Default 1.
    public var maxGradientNorm: Double? = 1
    /// Label smoothing: the share of each target's probability spread evenly over the vocabulary in training. Default
    /// 0.
    public var labelSmoothing = 0.0
    /// NEFTune's α, the amount of noise added to the embeddings in training. Default 0: no noise.
    public var embeddingNoise = 0.0
    /// Examples per micro-batch. Times ``gradientAccumulationSteps``, it gives the examples per optimizer step. How
    /// they are grouped into passes depends on memory and affects only rounding. Default 2.
    public var batchSize = 2
    /// Micro-batches per optimizer step. Default 8.
    public var gradientAccumulationSteps = 8
    /// Whether to recompute layers in the backward pass instead of keeping their activations. Default: when memory
    /// requires it.
    public var gradientCheckpointing = GradientCheckpointing.whenNeeded
    /// The maximum number of tokens in a pass; `nil`: as many as memory allows, up to the number that the device
    /// computes efficiently.
    public var tokensPerPass: Int?
    /// The number of parts, never sharing a pass, that each step is divided into so that as many processes have work.
    /// It affects rounding, so it must not change on resume. `nil`: as few passes as possible.
    public var logicalShards: Int?
    /// What processes divide besides the work. Results are the same. Default: nothing.
    public var sharding = Sharding.none
    /// Probabilities below this enter the gradient of a frozen head through the mean of their tokens instead of
    /// individually. The loss is exact either way. `nil`: 1e-6 with bfloat16 weights, else 0.
    public var headGradientThreshold: Double?
    /// Whether each step uses examples of similar length.
    public var groupsByLength = false
    /// Whether to drop the examples at the end of an epoch that do not fill a micro-batch. Default false.
    public var dropsLast = false
    /// Packs examples together, up to this many tokens, to count as one; `nil`: no packing.
    public var packedTokens: Int?
    /// The number of steps whose passes are prepared in the background. Default 1.
    public var stepsAhead = 1
    /// When to evaluate. Default: every ``evaluationSteps`` steps, and after the last step.
    public var evaluationStrategy = Interval.steps
    /// Steps between evaluations, or a share of all steps; `nil`: the same as ``loggingSteps``. Default 100.
    public var evaluationSteps: StepCount? = 100
    /// Whether to evaluate before the first step.
    public var evaluatesOnStart = false
    /// When to log. Default: every ``loggingSteps`` steps.
    public var loggingStrategy = Interval.steps
    /// Steps between log entries, or a share of all steps. Default 10.
    public var loggingSteps: StepCount = 10
    /// Whether to log the first step as well.
    public var logsFirstStep = false
    /// When to save a checkpoint. Default: every ``saveSteps`` steps, and after the last step.
    public var saveStrategy = Interval.steps
    /// Steps between checkpoints, or a share of all steps. Default 100.
    public var saveSteps: StepCount = 100
    /// Whether checkpoints contain only the model: they are smaller, but a run cannot be resumed from them. A
    /// checkpoint saved because the run is interrupted or fails is always complete. Default false.
    public var savesOnlyModel = false
    /// The maximum number of checkpoints to keep; the best and the newest are always kept. `nil`: all. Default 10.
    public var saveTotalLimit: Int? = 10
    /// The metric that selects the best model; it implies whether higher or lower is better. Default perplexity.
    public var bestMetric = ModelMetric.perplexity
    /// Whether to load the best saved model at the end of the run. Default true.
    public var loadsBestModelAtEnd = true
    /// Evaluations without improvement after which training stops early; `nil`: never.
    public var earlyStoppingPatience: Int?
    /// The minimum change that counts as an improvement.
    public var earlyStoppingThreshold = 0.0
    /// The number of consecutive steps with a loss or gradient that is not finite after which the run ends. Default
    /// 3.
    public var maxSkippedSteps = 3
    /// Steps between releases of unused memory. Default 50.
    public var memoryClearInterval = 50
    /// The random seed for dropout and the order of examples. Default 42.
    public var seed: UInt64 = 42
    /// Whether to shuffle the examples in every epoch.
    public var shuffles = true

    /// When to recompute a layer's activations in the backward pass instead of keeping them. Results are the same.
    public enum GradientCheckpointing: String, Sendable, Hashable, CaseIterable {
        case never = "false"
        /// When a pass might not fit into half of the free memory.
        case whenNeeded = "true"
        case always
    }

    /// What processes divide, so that each holds only a part of it.
    public enum Sharding: String, Sendable, Hashable, CaseIterable {
        case none
        /// The optimizer's state, and the gradients between the passes and the update.
        case optimizer
    }

    /// When something happens during training.
    public enum Interval: String, Sendable, Hashable, CaseIterable {
        case no, steps, epoch
    }

    /// The default arguments.
    public init() {}

    /// Steps between two evaluations; `nil`: there are none.
    package func evaluationInterval(_ batches: BatchSchedule) -> Int? {
        interval(evaluationStrategy, steps: evaluationSteps ?? loggingSteps, batches)
    }

    /// Steps between two checkpoints; `nil`: there are none.
    package func saveInterval(_ batches: BatchSchedule) -> Int? { interval(saveStrategy, steps: saveSteps, batches) }

    /// Steps between two lines of the log; `nil`: there are none.
    package func loggingInterval(_ batches: BatchSchedule) -> Int? {
        interval(loggingStrategy, steps: loggingSteps, batches)
    }

    private func interval(_ strategy: Interval, steps: StepCount, _ batches: BatchSchedule) -> Int? {
        switch strategy {
        case .no: nil
        case .steps: steps.steps(of: totalSteps(batches))
        case .epoch: batches.stepsPerEpoch
        }
    }

    package var examplesPerStep: Int { batchSize * gradientAccumulationSteps }

    /// The most that a count of examples or steps may be, so that sums and products of counts are numbers, too.
    package static let largestCount = 1_000_000_000
    /// The most epochs.
    package static let mostEpochs = 1e6

    /// - Parameter trainingCount: training examples.
    /// - Throws: ``TrainingError`` where they make no step, or as ``validate()`` does.
    func validate(trainingCount: Int) throws {
        guard trainingCount > 0 else {
            throw TrainingError(.nothingToTrain, "there is no training example.", advice: "Give more records.")
        }
        try validate()
        guard !dropsLast || trainingCount >= batchSize else {
            throw TrainingError(
                .nothingToTrain,
                "\(trainingCount) training examples fill no micro-batch of \(batchSize), and "
                    + "the last incomplete one is dropped.",
                advice: "Set a smaller batch size, or keep the last batch.", settings: [.batchSize, .dropsLast])
        }
    }

    /// - Throws: ``TrainingError`` with `badArguments` where a count is so large, or so small, that steps cannot be counted.
    func validate() throws {
        let most = Self.largestCount
        let counts = [
            ("batchSize", batchSize, 1), ("gradientAccumulationSteps", gradientAccumulationSteps, 1),
            ("maxSteps", maxSteps ?? 0, 0), ("stepsAhead", stepsAhead, 0),
            ("logicalShards", logicalShards ?? 1, 1),
        ]
        for (name, value, least) in counts where value < least || value > most {
            throw TrainingError(.badArguments, "\(name) is \(value); expected from \(least) to \(most).")
        }
        let intervals = [
            ("warmupSteps", warmupSteps, 0), ("evaluationSteps", evaluationSteps ?? loggingSteps, 1),
            ("saveSteps", saveSteps, 1), ("loggingSteps", loggingSteps, 1),
        ]
        for (name, value, least) in intervals where !value.isValid(from: least, to: most) {
            throw TrainingError(
                .badArguments, "\(name) is \(value); expected from \(least) to \(most), or a share between 0 and 1.")
        }
        guard (0...1).contains(warmupRatio) else {
            throw TrainingError(.badArguments, "warmupRatio is \(warmupRatio); expected from 0 to 1.")
        }
        do {
            try objective.validate()
        } catch let fault as ObjectiveOptions.Fault {
            throw TrainingError(.badArguments, "\(fault.property) \(fault.message)")
        }
        guard epochs > 0, epochs <= Self.mostEpochs else {
            throw TrainingError(.badArguments, "epochs is \(epochs); expected above 0, up to a million.")
        }
    }

    /// The order of the examples of a run.
    package func batches(of examples: any ExampleSource) -> BatchSchedule {
        let lengths = { (0..<examples.count).map { examples.lengths(at: $0).total } }
        guard let capacity = packedTokens else {
            return BatchSchedule(
                exampleCount: examples.count, examplesPerStep: examplesPerStep, seed: seed, shuffles: shuffles,
                lengths: groupsByLength ? lengths() : nil, microBatch: dropsLast ? min(batchSize, examples.count) : 1)
        }
        let all = lengths()
        let packs = BestFitPacking.groups(all, capacity: capacity)
        return BatchSchedule(
            exampleCount: packs.count, examplesPerStep: examplesPerStep, seed: seed, shuffles: shuffles,
            lengths: groupsByLength ? packs.map { $0.reduce(0) { $0 + all[$1] } } : nil,
            microBatch: dropsLast ? min(batchSize, packs.count) : 1, packs: packs)
    }

    /// Optimizer steps of a run.
    package func totalSteps(_ batches: BatchSchedule) -> Int { maxSteps ?? batches.steps(epochs: epochs) }

    /// The learning rates of a run of `totalSteps`.
    package func learningRates(totalSteps: Int) -> LearningRateSchedule {
        let warmup =
            warmupSteps == 0 ? Int((warmupRatio * Double(totalSteps)).rounded(.up)) : warmupSteps.steps(of: totalSteps)
        return LearningRateSchedule(
            peak: learningRate, course: schedule, options: scheduleOptions, warmupSteps: warmup,
            totalSteps: totalSteps)
    }
}
