public import Foundation
public import Logging
public import MenoData
public import MenoMetrics
public import MenoModels
internal import MenoTensor

/// Trains a model: takes the examples step by step, evaluates and saves on the way, and tells what happens.
///
/// It knows nothing of consoles, files or monitors; they are ``RunObserver``s.
public final class TrainingLoop {
    private let model: Decoder
    private let training: [Example]
    private let evaluation: [Example]
    private let arguments: TrainingArguments
    private let batches: BatchSchedule
    private let rates: LearningRateSchedule
    private let optimizerStep: OptimizerStep
    private let observers: Observers
    private let saving: RunSaving?
    private let writer: CheckpointWriter?
    private let shouldStop: () -> Bool
    private let clock = ContinuousClock()

    private var stepsDone = 0
    private var savedStep: Int?
    private var best = BestModel()
    private var log = StepLog()
    private var skippedSteps = 0
    private var resumedAtStep: Int?

    /// Optimizer steps of the whole run.
    public let totalSteps: Int

    /// - Parameters:
    ///   - model: with its adapters attached, or all of its parameters trained.
    ///   - evaluation: examples held out; may be empty.
    ///   - saving: where checkpoints go; `nil`: nothing is saved.
    ///   - shouldStop: asked after every step; `true` saves a checkpoint and ends the run there.
    /// - Throws: ``TrainingError`` when there is nothing to train.
    public init(
        model: Decoder, training: [Example], evaluation: [Example], arguments: TrainingArguments,
        observers: [any RunObserver] = [], saving: RunSaving? = nil,
        logger: Logger = Logger(label: "meno.training"), shouldStop: @escaping () -> Bool = { false }
    ) throws {
        guard !training.isEmpty else {
            throw TrainingError(.nothingToTrain, "there is no training example.", advice: "Give more records.")
        }
        self.model = model
        self.training = training
        self.evaluation = evaluation
        self.arguments = arguments
        self.shouldStop = shouldStop
        self.observers = Observers(observers, logger: logger)
        var saving = saving
        saving?.settings["data"] = Self.fingerprint(training)
        self.saving = saving
        writer = saving.map { CheckpointWriter($0.store, limit: arguments.saveTotalLimit) }
        batches = arguments.batches(exampleCount: training.count)
        totalSteps = arguments.totalSteps(batches)
        rates = arguments.learningRates(totalSteps: totalSteps)
        optimizerStep = try OptimizerStep(
            model: model, options: arguments.optimizer, maxGradientNorm: arguments.maxGradientNorm)
    }

    // MARK: The course of a run

    /// Runs to the last step, or until it is told to stop.
    /// - Throws: ``TrainingError`` (losses that are not finite) or `TorchError`; the model then has the parameters of
    ///   the last good step, and they are saved.
    @discardableResult
    public func run(model name: String) throws -> RunOutcome {
        if resumedAtStep == nil { try RandomGenerator.seed(arguments.seed) }
        model.usesGradientCheckpointing = arguments.gradientCheckpointing
        observers.emit(.started(description(name)))
        let start = clock.now
        let reason: RunOutcome.Reason
        do {
            reason = try steps()
        } catch let error as TrainingError where error.code == .interrupted {
            return try finish(.interrupted, since: start)
        } catch {
            save()
            finishSaving()
            observers.emit(.finished(outcome(.failed, message: "\(error)", since: start)))
            throw error
        }
        return try finish(reason, since: start)
    }

    private func steps() throws -> RunOutcome.Reason {
        if arguments.evaluatesOnStart, resumedAtStep == nil { try evaluate() }
        while stepsDone < totalSteps {
            guard !shouldStop() else { return .interrupted }
            try step(stepsDone)
            stepsDone += 1
            let isLast = stepsDone == totalSteps
            if arguments.memoryClearInterval > 0, stepsDone % arguments.memoryClearInterval == 0 { releaseMemory() }
            var stopsEarly = false
            if let interval = arguments.evaluationInterval(batches), stepsDone % interval == 0 || isLast {
                stopsEarly = try evaluate()
            }
            if let interval = arguments.saveInterval(batches), stepsDone % interval == 0 || isLast { save() }
            emitSaved()
            if stopsEarly { return .stoppedEarly }
        }
        return .completed
    }

    private func step(_ step: Int) throws {
        let start = clock.now
        let examples = batches.examples(ofStep: step).map { training[$0] }
        let passes = Pass.plan(examples, tokens: arguments.tokensPerPass).map { Pass(Array(examples[$0])) }
        let rate = rates.rate(atStep: step)
        do {
            let result = try optimizerStep.run(passes, learningRate: rate)
            skippedSteps = 0
            let metrics = StepMetrics(
                step: step + 1, epoch: epoch(after: step + 1), loss: result.loss,
                gradientNorm: result.gradientNorm, learningRate: rate, tokens: result.tokenCount,
                labels: result.labelCount, seconds: (clock.now - start).seconds)
            log.add(metrics, isLogged: (step + 1) % arguments.loggingSteps == 0)
            observers.emit(.step(metrics))
        } catch let error as TrainingError where error.code == .notFinite {
            try skip(step, examples, error)
        }
    }

    /// Passes over a step whose loss or gradient is not finite; too many in a row end the run.
    private func skip(_ step: Int, _ examples: [Example], _ error: TrainingError) throws {
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
    private func evaluate() throws -> Bool {
        guard !evaluation.isEmpty else { return false }
        let result = try Evaluator(model, tokensPerPass: arguments.tokensPerPass).evaluate(evaluation) { _ in
            !shouldStop()
        }
        releaseMemory()
        let metrics = EvaluationMetrics(
            step: stepsDone, epoch: epoch(after: stepsDone), loss: result.loss, tokenAccuracy: result.tokenAccuracy,
            completionLoss: result.completionLoss, tokens: result.tokens, samples: result.rows.count,
            seconds: result.seconds)
        log.add(metrics)
        _ = best.offer(metrics, arguments.bestMetric, threshold: arguments.earlyStoppingThreshold)
        observers.emit(.evaluated(metrics))
        observers.emit(.resources(ResourceReading.current(step: stepsDone, device: model.device)))
        return arguments.earlyStoppingPatience.map { best.evaluationsWithoutImprovement >= $0 } ?? false
    }

    private func finish(_ reason: RunOutcome.Reason, since start: ContinuousClock.Instant) throws -> RunOutcome {
        if reason == .interrupted || reason == .stoppedEarly { save() }
        finishSaving()
        if reason != .interrupted { try loadBest() }
        let outcome = outcome(reason, message: nil, since: start)
        observers.emit(.finished(outcome))
        return outcome
    }

    private func loadBest() throws {
        guard arguments.loadsBestModelAtEnd, let step = best.step, step != stepsDone, let saving else { return }
        let folder = saving.store.url(step: step)
        if let fault = CheckpointManifest.fault(of: folder) {
            return observers.emit(
                .warning("the best model (step \(step)) is not loaded, the last one is kept: \(fault)."))
        }
        try saving.form.restore(model, from: folder)
        observers.emit(.notice("loaded the best model, of step \(step)"))
    }

    private func outcome(
        _ reason: RunOutcome.Reason, message: String?, since start: ContinuousClock.Instant
    ) -> RunOutcome {
        RunOutcome(
            reason: reason, message: message, step: stepsDone, seconds: (clock.now - start).seconds,
            bestStep: best.step, bestMetric: best.value)
    }

    private func releaseMemory() {
        // Memory that cannot be given back is no reason to end a run.
        try? model.device.emptyCache()
        Torch.releaseUnusedHostMemory()
    }

    /// Passes over the data after some steps; the last step of an epoch may be a short one.
    private func epoch(after step: Int) -> Double {
        let (epochs, within) = step.quotientAndRemainder(dividingBy: batches.stepsPerEpoch)
        return Double(epochs) + Double(within) / Double(batches.stepsPerEpoch)
    }

    private func description(_ name: String) -> RunDescription {
        RunDescription(
            model: name, architecture: model.configuration.modelType, device: "\(model.device)",
            dtype: "\(model.computeType)", trainSamples: training.count, evaluationSamples: evaluation.count,
            totalSteps: totalSteps, stepsPerEpoch: batches.stepsPerEpoch,
            trainedParameters: model.trainedParameters.reduce(0) { $0 + $1.tensor.count },
            totalParameters: model.parameters.reduce(0) { $0 + $1.tensor.count }, resumedAtStep: resumedAtStep ?? 0)
    }
}

// MARK: - Saving and resuming

extension TrainingLoop {
    /// Begins to write a checkpoint of this moment. A fault is told and does not harm the training.
    private func save() {
        guard let saving, let writer, stepsDone > 0, savedStep != stepsDone else { return }
        savedStep = stepsDone
        do {
            let files = [
                RunState.name: try CheckpointStore.encoder.encode(try runState(saving)),
                TrainerState.name: try CheckpointStore.encoder.encode(trainerState(saving)),
            ]
            let contents = CheckpointStore.Contents(
                step: stepsDone, form: saving.form, weights: try model.trainedValues(),
                optimizer: try NamedValues(optimizerStep.optimizer.state), files: files)
            writer.begin(contents, keeping: best.step.map { [$0] } ?? [])
        } catch {
            observers.emit(.checkpointFailed(step: stepsDone, reason: "\(error)"))
        }
    }

    private func emitSaved() { for event in writer?.takeEvents() ?? [] { observers.emit(event) } }

    private func finishSaving() {
        writer?.wait()
        emitSaved()
    }

    private func runState(_ saving: RunSaving) throws -> RunState {
        var randomStates = ["cpu": Data(try RandomGenerator.state())]
        if model.device != .cpu { randomStates["\(model.device)"] = Data(try RandomGenerator.state(of: model.device)) }
        return RunState(
            step: stepsDone, settings: saving.settings, randomStates: randomStates, best: best, log: log,
            skippedSteps: skippedSteps, observers: observers.states())
    }

    private func trainerState(_ saving: RunSaving) -> TrainerState {
        TrainerState(
            bestGlobalStep: best.step, bestMetric: best.value,
            bestModelCheckpoint: best.step.map { saving.store.url(step: $0).lastPathComponent },
            epoch: epoch(after: stepsDone), evalSteps: arguments.evaluationInterval(batches) ?? totalSteps,
            globalStep: stepsDone, logHistory: log.entries, loggingSteps: arguments.loggingSteps, maxSteps: totalSteps,
            numInputTokensSeen: log.tokens, numTrainEpochs: arguments.epochs,
            saveSteps: arguments.saveInterval(batches) ?? totalSteps, trainBatchSize: arguments.batchSize)
    }

    /// Goes back to a checkpoint; ``run(model:)`` then continues from there.
    /// - Parameter allowsChanges: whether settings that change the run's meaning may differ.
    /// - Throws: ``TrainingError`` with `cannotResume`, which names what is broken or has changed.
    public func resume(from folder: URL, allowsChanges: Bool = false) throws {
        guard let saving else {
            throw TrainingError(.cannotResume, "a run that saves nothing cannot be resumed.")
        }
        let saved = try SavedRun(folder)
        let changes = saved.changes(saving.settings)
        guard changes.isEmpty || allowsChanges else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of a run with other settings: \(changes.joined(separator: "; ")).",
                advice: "Undo the changes, or give --allow-changes to go on with them.")
        }
        let state = saved.state
        guard state.step <= totalSteps else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of step \(state.step); the run ends at step \(totalSteps).")
        }
        try saving.form.restore(model, from: folder)
        try NamedValues.restore(
            optimizerStep.optimizer.state, from: folder.appending(path: CheckpointStore.optimizerName))
        for (device, bytes) in state.randomStates {
            guard device == "cpu" || device == "\(model.device)" else { continue }
            try RandomGenerator.setState([UInt8](bytes), of: device == "cpu" ? .cpu : model.device)
        }
        (stepsDone, savedStep, resumedAtStep) = (state.step, state.step, state.step)
        (best, log, skippedSteps) = (state.best, state.log, state.skippedSteps)
        observers.restore(state.observers)
        for change in changes { observers.emit(.warning("resumed with another setting: \(change)")) }
    }

    /// Tells apart data, tokenizers and templates: FNV-1a over every id and label.
    private static func fingerprint(_ examples: [Example]) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        let mix = { (value: Int32) in hash = (hash ^ UInt64(UInt32(bitPattern: value))) &* 0x100_0000_01B3 }
        for example in examples {
            mix(Int32(truncatingIfNeeded: example.ids.count))
            example.ids.forEach(mix)
            example.labels.forEach(mix)
        }
        return "\(examples.count) examples, \(String(hash, radix: 16))"
    }
}
