package import MenoData

/// How a model is trained, by the names of `TrainingArguments`; defaults are the reference notebook's, but for one epoch.
public struct TrainingArguments: Sendable, Hashable {
    /// What is minimized. Default supervised fine-tuning.
    public var objective = ObjectiveOptions()
    /// Passes over the training data; a fraction ends within one. Default 1; 30 in `RUN.yaml`.
    public var epochs = 1.0
    /// Optimizer steps in all; overrides ``epochs``. `nil`: as the epochs ask for.
    public var maxSteps: Int?
    /// The highest learning rate. Default 2e-4.
    public var learningRate = 2e-4
    /// How the rate moves after the warm-up. Default cosine.
    public var schedule = LearningRateSchedule.Course.cosine
    /// The share of all steps over which the rate rises, rounded up. Default 0.1.
    public var warmupRatio = 0.1
    /// Steps over which the rate rises, or a share of all; overrides ``warmupRatio`` where it is not 0.
    public var warmupSteps: StepCount = 0
    /// What only some schedules ask for.
    public var scheduleOptions = LearningRateSchedule.Options()
    /// The optimizer and its constants. Default AdamW with a decay of 0.01; biases and norms are not decayed.
    public var optimizer = OptimizerOptions(weightDecay: 0.01)
    /// Larger gradients are scaled down to this norm; `nil`: never. Default 1.
    public var maxGradientNorm: Double? = 1
    /// The share of each target's probability that is spread evenly over the vocabulary in training. Default 0.
    public var labelSmoothing = 0.0
    /// NEFTune's α: noise on the embeddings in training. Default 0: none.
    public var embeddingNoise = 0.0
    /// Examples of a micro-batch. With ``gradientAccumulationSteps`` it says how many make an optimizer step; how they
    /// are computed together is decided by memory and changes nothing but rounding. Default 2.
    public var batchSize = 2
    /// Micro-batches of an optimizer step. Default 8.
    public var gradientAccumulationSteps = 8
    /// Whether layers are computed again in the backward pass instead of kept. Default: where memory asks for it.
    public var gradientCheckpointing = GradientCheckpointing.whenNeeded
    /// Tokens that go through the model together; `nil`: as many as memory allows, up to
    /// what the device computes fast.
    public var tokensPerPass: Int?
    /// Into how many parts, which never share a pass, the examples of a step are divided, so that as many processes have
    /// something to do. Part of what a run means, as sums are rounded otherwise. `nil`: into as few passes as possible.
    public var logicalShards: Int?
    /// What several processes divide beside the work. Results are the same. Default none.
    public var sharding = Sharding.none
    /// Probabilities below it enter the gradient of a frozen head by the mean of their words instead of one by one; the loss is
    /// exact either way. `nil`: 1e-6 with weights in bfloat16, else 0.
    public var headGradientThreshold: Double?
    /// Whether steps take examples of about the same length.
    public var groupsByLength = false
    /// Whether an epoch leaves out the examples that fill no micro-batch. Default false.
    public var dropsLast = false
    /// Tokens up to which examples are put together to count as one; `nil`: each counts for itself.
    public var packedTokens: Int?
    /// Steps whose passes are prepared ahead, while the one before is computed. Default 1.
    public var stepsAhead = 1
    /// When the model is evaluated. Default: every ``evaluationSteps``, and after the last step.
    public var evaluationStrategy = Interval.steps
    /// Steps between two evaluations, or a share of all; `nil`: as ``loggingSteps``. Default 100.
    public var evaluationSteps: StepCount? = 100
    /// Whether the model is evaluated before the first step.
    public var evaluatesOnStart = false
    /// When the log gets a line. Default: every ``loggingSteps``.
    public var loggingStrategy = Interval.steps
    /// Steps between two lines of the log, or a share of all. Default 10.
    public var loggingSteps: StepCount = 10
    /// Whether the first step has a line of its own.
    public var logsFirstStep = false
    /// When a checkpoint is saved. Default: every ``saveSteps``, and after the last step.
    public var saveStrategy = Interval.steps
    /// Steps between two checkpoints, or a share of all. Default 100.
    public var saveSteps: StepCount = 100
    /// Whether checkpoints hold the model alone: smaller, and a run cannot be resumed from them. One that is saved because a
    /// run is interrupted or fails holds everything. Default false.
    public var savesOnlyModel = false
    /// How many checkpoints are kept; the best and the newest always are. `nil`: all. Default 10.
    public var saveTotalLimit: Int? = 10
    /// By which value of an evaluation models are compared; it carries its direction. Default perplexity.
    public var bestMetric = ModelMetric.perplexity
    /// Whether the run ends with the best saved model instead of the last. Default true.
    public var loadsBestModelAtEnd = true
    /// Evaluations without improvement after which the run ends; `nil`: never.
    public var earlyStoppingPatience: Int?
    /// What an evaluation must gain to count as an improvement.
    public var earlyStoppingThreshold = 0.0
    /// Steps in a row whose loss or gradient is not finite, after which the run ends. Default 3.
    public var maxSkippedSteps = 3
    /// Steps between two releases of memory that nothing uses. Default 50.
    public var memoryClearInterval = 50
    /// Seeds dropout and the order of the examples. Default 42.
    public var seed: UInt64 = 42
    /// Whether every epoch takes the examples in an order of its own.
    public var shuffles = true

    /// When layers compute their inner values again in the backward pass instead of keeping them. Results are the same.
    public enum GradientCheckpointing: String, Sendable, Hashable, CaseIterable {
        case never = "false"
        /// Where a pass might not fit into half of the memory that is free.
        case whenNeeded = "true"
        case always
    }

    /// What several processes divide, so that each holds only a part of it.
    public enum Sharding: String, Sendable, Hashable, CaseIterable {
        case none
        /// The optimizer's state, and the gradients between passes and update.
        case optimizer
    }

    /// How often something is done.
    public enum Interval: String, Sendable, Hashable, CaseIterable {
        case no, steps, epoch
    }

    /// The defaults for code.
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
