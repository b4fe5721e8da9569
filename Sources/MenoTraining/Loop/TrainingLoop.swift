internal import Foundation
public import Logging
public import MenoData
public import MenoMetrics
public import MenoModels
internal import MenoTensor

/// Trains a model: takes the examples step by step, evaluates and saves on the way, and tells what happens.
///
/// It knows nothing of consoles, files or monitors; they are ``RunObserver``s.
public final class TrainingLoop {
    let model: Decoder
    let training: [Example]
    let evaluation: [Example]
    let arguments: TrainingArguments
    let batches: BatchSchedule
    let rates: LearningRateSchedule
    let objective: any Objective
    let optimizerStep: OptimizerStep
    let loader: StepLoader
    let observers: Observers
    let saving: RunSaving?
    let writer: CheckpointWriter?
    let shouldStop: () -> Bool
    let clock = ContinuousClock()

    var stepsDone = 0
    var savedStep: Int?
    /// The step of the last checkpoint that holds everything that a run needs to be resumed.
    var resumableStep: Int?
    var best = BestModel()
    var log = StepLog()
    var skippedSteps = 0
    var resumedAtStep: Int?
    /// The checkpoint that the run was resumed from.
    var resumedFrom: URL?
    /// The step of the model that the run ends with, where it is not the last one.
    var delivered: Int?
    /// Whether settings differ from those of the checkpoint that the run was resumed from.
    var isResumedWithChanges = false
    /// Why an observer wants the run to end.
    var stopReason: String?
    /// The most tokens of a pass; `nil` until it is decided.
    var tokensPerPass: Int?
    /// ``MemoryPlan/preferredTokens(of:)`` when passes are planned: what a GPU has free, and so the answer, changes later.
    private(set) lazy var preferredTokens = MemoryPlan.preferredTokens(of: model)

    /// The most tokens of a pass in evaluations, after one ran out of memory.
    var fittingEvaluationTokens: Int?

    /// Optimizer steps of the whole run.
    public let totalSteps: Int

    /// - Parameters:
    ///   - model: with its adapters attached, or all of its parameters trained.
    ///   - evaluation: examples held out; may be empty.
    ///   - saving: where checkpoints go; `nil`: nothing is saved.
    ///   - shouldStop: asked after every step; `true` saves a checkpoint and ends the run there.
    /// - Throws: ``TrainingError`` when there is nothing to train, or an argument is beyond what a run can have.
    public init(
        model: Decoder, training: [Example], evaluation: [Example], arguments: TrainingArguments,
        observers: [any RunObserver] = [], saving: RunSaving? = nil,
        logger: Logger = Logger(label: "meno.training"), shouldStop: @escaping () -> Bool = { false }
    ) throws {
        guard !training.isEmpty else {
            throw TrainingError(.nothingToTrain, "there is no training example.", advice: "Give more records.")
        }
        try arguments.validate()
        self.model = model
        self.training = training
        self.evaluation = evaluation
        self.arguments = arguments
        self.shouldStop = shouldStop
        self.observers = Observers(observers, logger: logger)
        var saving = saving
        saving?.settings.merge(ResumeCheck.dataSettings(training: training, evaluation: evaluation)) { $1 }
        self.saving = saving
        writer = saving.map { CheckpointWriter($0, limit: arguments.saveTotalLimit) }
        guard !arguments.dropsLast || training.count >= arguments.batchSize else {
            throw TrainingError(
                .nothingToTrain,
                "\(training.count) training examples fill no micro-batch of \(arguments.batchSize), and "
                    + "dataloader_drop_last leaves out what fills none.",
                advice:
                    "Set a smaller training.per_device_train_batch_size, or leave training.dataloader_drop_last out.")
        }
        batches = arguments.batches(lengths: training.map(\.ids.count))
        totalSteps = arguments.totalSteps(batches)
        tokensPerPass = arguments.tokensPerPass
        rates = arguments.learningRates(totalSteps: totalSteps)
        objective = SupervisedObjective(labelSmoothing: arguments.labelSmoothing)
        optimizerStep = try OptimizerStep(
            model: model, objective: objective, options: arguments.optimizer,
            maxGradientNorm: arguments.maxGradientNorm)
        model.checkpointedLayers = arguments.gradientCheckpointing == .never ? 0 : model.configuration.layerCount
        model.embeddingNoise = arguments.embeddingNoise
        if let threshold = arguments.headGradientThreshold { model.headGradientThreshold = threshold }
        loader = StepLoader(
            batches, examples: training, sharing: model.sharesBeginnings(training: true), depth: arguments.stepsAhead,
            totalSteps: totalSteps)
    }

    func checkLearningRates() throws {
        try arguments.checkLearningRates(
            totalSteps: totalSteps, stepsDone: stepsDone, wasBegunSo: resumedAtStep != nil && !isResumedWithChanges)
    }

    // MARK: The course of a run

    /// Runs to the last step, or until it is told to stop.
    /// - Throws: ``TrainingError`` (losses that are not finite) or `TorchError`; the model then has the parameters of
    ///   the last good step, and they are saved, unless it is `updateFailed`.
    @discardableResult
    public func run(model name: String) throws -> RunOutcome {
        try checkLearningRates()
        if resumedAtStep == nil { try RandomGenerator.seed(arguments.seed) }
        let start = clock.now
        observers.emit(.started(description(name)))
        if let fault = rates.fault(from: stepsDone) { observers.emit(.warning("\(fault).")) }
        warnOfLength()
        warnOfSpace()
        if model.device.kind == .cuda, let fault = model.device.kernelFault {
            observers.emit(.notice("this GPU has none of the fused kernels, and steps are slower: \(fault)"))
        }
        let reason: RunOutcome.Reason
        do {
            try planPasses()
            reason = try steps()
        } catch let error as TrainingError where error.code == .interrupted {
            return try finish(.interrupted, since: start)
        } catch {
            finishSaving()
            if (error as? TrainingError)?.code != .updateFailed { save(isWhole: true) }
            finishSaving()
            observers.emit(.finished(outcome(.failed, message: "\(error)", since: start)))
            throw error
        }
        return try finish(reason, since: start)
    }

    /// Positions that the model has never seen are neither refused nor learnt from well.
    private func warnOfLength() {
        let longest = (training + evaluation).reduce(0) { max($0, $1.ids.count) }
        let context = model.configuration.maximumPositions
        guard longest > context else { return }
        observers.emit(
            .warning(
                "examples have up to \(longest) tokens, and the model was made for \(context): what it does beyond them is "
                    + "poor. Set data.max_length: \(context) or less."))
    }

    func steps() throws -> RunOutcome.Reason {
        if arguments.evaluatesOnStart, resumedAtStep == nil { try evaluate() }
        // A run that was interrupted before or in the evaluation of its last step has not made it yet.
        if resumedAtStep != nil, isEvaluationDue, !log.hasEvaluation(ofStep: stepsDone), try concludeStep() {
            return .stoppedEarly
        }
        while stepsDone < totalSteps {
            guard !shouldStop() else { return .interrupted }
            try step(stepsDone)
            stepsDone += 1
            if isLogged(stepsDone) { emitResources() }
            if arguments.memoryClearInterval > 0, stepsDone % arguments.memoryClearInterval == 0 {
                model.device.releaseMemory()
            }
            if try concludeStep() { return .stoppedEarly }
        }
        return .completed
    }

    /// Evaluates and saves, where that comes after this step.
    /// - Returns: whether the run ends here.
    func concludeStep() throws -> Bool {
        let stopsEarly = isEvaluationDue ? try evaluate() : false
        settle()
        if savesNow { save() }
        return stopsEarly || stopReason != nil
    }

    var isLastStep: Bool { stepsDone == totalSteps }

    var isEvaluationDue: Bool {
        guard let interval = arguments.evaluationInterval(batches), !evaluation.isEmpty else { return false }
        return stepsDone % interval == 0 || isLastStep
    }

    /// Beside the regular steps, a new best model is saved where it is to be loaded at the end.
    var savesNow: Bool {
        guard let interval = arguments.saveInterval(batches) else { return false }
        return isLastStep || stepsDone % interval == 0 || (arguments.loadsBestModelAtEnd && best.step == stepsDone)
    }

    func step(_ step: Int) throws {
        let start = clock.now
        let rate = rates.rate(atStep: step)
        guard let result = try attempt(step, learningRate: rate) else { return }
        skippedSteps = 0
        let metrics = StepMetrics(
            step: step + 1, epoch: epoch(after: step + 1), loss: result.loss, gradientNorm: result.gradientNorm,
            learningRate: rate, tokens: result.tokenCount, labels: result.labelCount,
            seconds: (clock.now - start) / .seconds(1))
        log.add(metrics, isLogged: isLogged(step + 1))
        observers.emit(.step(metrics))
    }

    func emitResources() {
        observers.emit(.resources(ResourceReading.current(step: stepsDone, device: model.device)))
    }

    func isLogged(_ step: Int) -> Bool {
        if arguments.logsFirstStep, step == 1 { return true }
        return arguments.loggingInterval(batches).map { step % $0 == 0 || step == totalSteps } ?? false
    }

    /// Makes a step; where memory does not suffice, again in smaller passes, with the same elements dropped.
    /// - Returns: `nil` for a step that was passed over.
    /// - Throws: what ends the run; what is saved then is as if the step had not been tried.
    func attempt(_ step: Int, learningRate: Double) throws -> StepResult? {
        let skippedBefore = skippedSteps
        model.randomKey = RowKeys.key(seed: arguments.seed, step: step)
        do {
            while true {
                let prepared = loader.load(step, tokensPerPass: passLimit)
                do {
                    return try optimizerStep.run(prepared.passes, learningRate: learningRate)
                } catch let error as TrainingError where error.code == .notFinite {
                    try skip(step, prepared.examples.map { training[$0] }, error)
                    return nil
                } catch let error as TorchError where error.code == .outOfMemory {
                    try makePassesSmaller(prepared.passes, error)
                }
            }
        } catch {
            skippedSteps = skippedBefore
            throw error
        }
    }

    /// Passes over a step whose loss or gradient is not finite; too many in a row end the run.
    func skip(_ step: Int, _ examples: [Example], _ error: TrainingError) throws {
        skippedSteps += 1
        let places = examples.map(\.place)
        observers.emit(.stepSkipped(step: step + 1, reason: error.message, records: places))
        guard skippedSteps >= arguments.maxSkippedSteps else { return }
        throw TrainingError(
            .notFinite,
            "step \(step + 1): \(error.message) It is the \(skippedSteps). step in a row that was not applied. "
                + "Its records: \(places.joined(separator: ", ")).", advice: error.advice)
    }

    /// - Returns: whether the run has not got better for so long that it ends.
    @discardableResult
    func evaluate() throws -> Bool {
        guard !evaluation.isEmpty else { return false }
        // A checkpoint is judged by what is on the disk.
        writer?.wait()
        settle()
        confirmBest()
        let limit = min(evaluationPassLimit(passLimit), fittingEvaluationTokens ?? .max)
        let result = try Evaluator(model, objective: objective, tokensPerPass: limit).evaluate(evaluation) { _ in
            !shouldStop()
        } onShortage: { tokens, message in
            fittingEvaluationTokens = tokens
            observers.emit(.warning(message))
        }
        model.device.releaseMemory()
        let metrics = EvaluationMetrics(
            step: stepsDone, epoch: epoch(after: stepsDone), loss: result.loss, tokenAccuracy: result.tokenAccuracy,
            completionLoss: result.completionLoss, tokens: result.tokens, samples: result.rows.count,
            seconds: result.seconds)
        log.add(metrics)
        // A checkpoint that an interruption left of this step lacks its evaluation.
        savedStep = nil
        // The model before the first step is no result of the run.
        if stepsDone > 0 {
            best.offer(
                metrics, arguments.bestMetric, threshold: arguments.earlyStoppingThreshold, isKept: keepsWeightsOfBest)
        }
        observers.emit(.evaluated(metrics))
        emitResources()
        return arguments.earlyStoppingPatience.map { best.evaluationsWithoutImprovement >= $0 } ?? false
    }

    func finish(_ reason: RunOutcome.Reason, since start: ContinuousClock.Instant) throws -> RunOutcome {
        // Whether the checkpoint of this step is there is known when it is written.
        finishSaving()
        if reason == .interrupted || reason == .stoppedEarly {
            save(isWhole: reason == .interrupted || stopReason != nil)
        }
        finishSaving()
        if reason != .interrupted { try deliverBest() }
        let outcome = outcome(reason, message: reason == .stoppedEarly ? stopReason : nil, since: start)
        observers.emit(.finished(outcome))
        return outcome
    }

    func outcome(
        _ reason: RunOutcome.Reason, message: String?, since start: ContinuousClock.Instant
    ) -> RunOutcome {
        RunOutcome(
            reason: reason, message: message, step: stepsDone, seconds: (clock.now - start) / .seconds(1),
            bestStep: best.step, bestMetric: best.value, observerSeconds: observers.time / .seconds(1))
    }

    /// Passes over the data after some steps; the last step of an epoch may be a short one.
    func epoch(after step: Int) -> Double {
        let (epochs, within) = step.quotientAndRemainder(dividingBy: batches.stepsPerEpoch)
        return Double(epochs) + Double(within) / Double(batches.stepsPerEpoch)
    }

    func description(_ name: String) -> RunDescription {
        RunDescription(
            model: name, architecture: model.configuration.modelType, device: "\(model.device)",
            dtype: model.precision, trainSamples: training.count, evaluationSamples: evaluation.count,
            totalSteps: totalSteps, stepsPerEpoch: batches.stepsPerEpoch,
            trainedParameters: model.trainedParameterCount,
            totalParameters: model.parameterCount, resumedAtStep: resumedAtStep ?? 0,
            // A run without a log has one line, at its end.
            loggingSteps: arguments.loggingInterval(batches) ?? max(1, totalSteps),
            logsFirstStep: arguments.logsFirstStep,
            labelEntropy: arguments.labelSmoothing == 0 ? training.labelEntropy : nil,
            evaluationSteps: evaluation.isEmpty ? nil : arguments.evaluationInterval(batches),
            evaluationTokens: evaluation.isEmpty ? nil : evaluation.reduce(0) { $0 + $1.ids.count })
    }
}
