internal import Foundation
package import Logging
package import MenoData
package import MenoMetrics
package import MenoModels
package import MenoTensor

/// Trains a model: takes the examples step by step, evaluates and saves on the way, and emits what happens.
///
/// It knows nothing of consoles, files or monitors: they are ``RunObserver``s and ``RunPolicy``s.
package final class TrainingLoop {
    let model: Decoder
    let training: any ExampleSource
    let evaluation: [Example]
    let arguments: TrainingArguments
    let batches: BatchSchedule
    let rates: LearningRateSchedule
    let objective: any Objective
    let optimizerStep: OptimizerStep
    let loader: StepLoader
    let agreement: Agreement
    let processes: ProcessGroup
    let observers: Observers
    let stages: [any EvaluationStage]
    let faults: Faults
    let saving: RunSaving?
    let writer: CheckpointWriter?
    let shouldStop: () -> Bool
    let clock = ContinuousClock()

    var progress = RunProgress()
    /// What passes are chosen from when they are planned: what a GPU has free, and so the answer, changes later.
    private(set) lazy var passSizes = measurePassSizes()
    /// Where the run was resumed, if it was.
    var resumption: Resumption?
    /// The steps of the last checkpoint, of the last one that holds everything that a run needs to be resumed, and of the last
    /// attempt at a stable one.
    var savedStep: Int?
    var resumableStep: Int?
    var stableStep: Int?
    /// The step of the model that the run ends with, where it is not the last one.
    var delivered: Int?
    /// Why a policy wants the run to end.
    var stopReason: String?
    /// Whether a policy wants a checkpoint of the present step.
    var isCheckpointWanted = false
    private(set) lazy var start = clock.now

    /// Optimizer steps of the whole run.
    package let totalSteps: Int

    /// - Parameters:
    ///   - model: with its adapters attached, or all of its parameters trained.
    ///   - evaluation: examples held out; may be empty.
    ///   - observers: see everything that happens, in this order.
    ///   - policies: decide about stable checkpoints and an early end.
    ///   - stages: what is done after each evaluation.
    ///   - saving: where checkpoints go; `nil`: nothing is saved.
    ///   - processes: those that train together; each decides nothing alone.
    ///   - shouldStop: asked after every step; `true` saves a checkpoint and ends the run there.
    /// - Throws: ``TrainingError`` when there is nothing to train, or an argument is beyond what a run can have.
    package convenience init(
        model: Decoder, training: any ExampleSource, evaluation: [Example], arguments: TrainingArguments,
        observers: [any RunObserver] = [], policies: [any RunPolicy] = [], stages: [any EvaluationStage] = [],
        saving: RunSaving? = nil, processes: ProcessGroup = ProcessGroup(),
        logger: Logger = Logger(label: "meno.training"), shouldStop: @escaping () -> Bool = { false }
    ) throws {
        try self.init(
            model: model, training: training, evaluation: evaluation, arguments: arguments,
            objective: SupervisedObjective(labelSmoothing: arguments.labelSmoothing), observers: observers,
            policies: policies, stages: stages, saving: saving, processes: processes, logger: logger,
            shouldStop: shouldStop)
    }

    /// - Parameter objective: what the run minimizes; the others as above.
    package init(
        model: Decoder, training: any ExampleSource, evaluation: [Example], arguments: TrainingArguments,
        objective: any Objective, observers: [any RunObserver], policies: [any RunPolicy],
        stages: [any EvaluationStage], saving: RunSaving?, processes: ProcessGroup, logger: Logger,
        shouldStop: @escaping () -> Bool
    ) throws {
        try arguments.validate(trainingCount: training.count)
        self.model = model
        model.microBatchSize = arguments.batchSize
        self.training = training
        self.evaluation = evaluation
        self.arguments = arguments
        self.objective = objective
        self.stages = stages
        self.shouldStop = shouldStop
        faults = Faults(logger)
        self.observers = Observers(observers, policies: policies, faults: faults)
        self.processes = processes
        agreement = Agreement(processes)
        var saving = saving
        if saving != nil {
            let data = try DataFingerprint.settings(training: training, evaluation: evaluation)
            saving?.settings.merge(data) { $1 }
        }
        self.saving = saving
        // Only one process writes.
        writer = !processes.isFirst ? nil : saving.map { CheckpointWriter($0, limit: arguments.saveTotalLimit) }
        batches = arguments.batches(of: training)
        totalSteps = arguments.totalSteps(batches)
        progress.passLimits.training = arguments.tokensPerPass
        rates = arguments.learningRates(totalSteps: totalSteps)
        optimizerStep = try OptimizerStep(
            model: model, objective: objective, options: arguments.optimizer,
            maxGradientNorm: arguments.maxGradientNorm, processes: processes,
            sharesOptimizer: arguments.sharding == .optimizer)
        model.checkpointedLayers = arguments.gradientCheckpointing == .never ? 0 : model.configuration.layerCount
        model.embeddingNoise = arguments.embeddingNoise
        if let threshold = arguments.headGradientThreshold { model.headGradientThreshold = threshold }
        loader = StepLoader(
            batches, examples: training, arrangements: objective.arrangements,
            sharing: model.sharesBeginnings(training: true), shards: arguments.logicalShards,
            depth: arguments.stepsAhead, totalSteps: totalSteps)
    }

    /// Whether this process writes files, and knows what is on the disk.
    var isFirst: Bool { processes.isFirst }

    /// Runs to the last step, or until it has to stop.
    /// - Throws: ``TrainingError`` (losses that are not finite) or `TorchError`; the model then has the parameters of
    ///   the last good step, and they are saved, unless it is `updateFailed`.
    @discardableResult
    package func run(model name: String) throws -> RunOutcome {
        try checkLearningRates()
        if resumption == nil { try RandomGenerator.seed(arguments.seed) }
        start = clock.now
        observers.emit(.started(description(name)))
        warn()
        let reason: RunOutcome.Reason
        do {
            try agreement.together { try planPasses() }
            progress.passLimits.training = try agreement.least(progress.passLimits.training)
            warnOfIdleProcesses()
            reason = try steps()
        } catch let error as TrainingError where error.code == .interrupted {
            return try finish(.interrupted)
        } catch {
            // What is saved now may take a while, and the others may be gone by then.
            processes.watch?.leave()
            finishSaving()
            // Parts of the optimizer's state are with processes that may be gone.
            if (error as? TrainingError)?.code != .updateFailed, !optimizerStep.sharesOptimizer { save(isWhole: true) }
            finishSaving()
            observers.emit(.finished(outcome(.failed, message: "\(error)")))
            throw error
        }
        return try finish(reason)
    }

    /// Step, evaluate, save.
    private func steps() throws -> RunOutcome.Reason {
        if arguments.evaluatesOnStart, resumption == nil { try evaluate() }
        // A run that was interrupted before or in the evaluation of its last step has not made it yet.
        if resumption != nil, isEvaluationDue, !progress.log.hasEvaluation(ofStep: stepsDone), try concludeStep() {
            return .stoppedEarly
        }
        while stepsDone < totalSteps {
            if try agreement.any(shouldStop()) { return .interrupted }
            try step(stepsDone)
            progress.stepsDone += 1
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
    private func concludeStep() throws -> Bool {
        let stopsEarly = isEvaluationDue ? try evaluate() : false
        settle()
        let isWanted = try agreement.first(isCheckpointWanted)
        isCheckpointWanted = false
        if try agreement.first(savesNow) || isWanted { save(isWhole: isWanted) }
        return try agreement.first(stopsEarly || stopReason != nil)
    }

    private func finish(_ reason: RunOutcome.Reason) throws -> RunOutcome {
        // Whether the checkpoint of this step is there is known when it is written.
        finishSaving()
        if reason == .interrupted || reason == .stoppedEarly {
            save(isWhole: reason == .interrupted || stopReason != nil)
        }
        finishSaving()
        if reason != .interrupted, isFirst { try deliverBest() }
        let outcome = outcome(reason, message: reason == .stoppedEarly ? stopReason : nil)
        observers.emit(.finished(outcome))
        return outcome
    }
}
