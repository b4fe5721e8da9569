public import Logging
public import MenoData
public import MenoMetrics
public import MenoModels
internal import MenoTensor

/// Trains a model: takes the examples step by step, evaluates on the way, and tells what happens.
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
    private let shouldStop: () -> Bool
    private let clock = ContinuousClock()

    /// Optimizer steps of the whole run.
    public let totalSteps: Int

    /// - Parameters:
    ///   - model: with its adapters attached, or all of its parameters trained.
    ///   - evaluation: examples held out; may be empty.
    ///   - shouldStop: asked after every step; `true` ends the run there.
    /// - Throws: ``TrainingError`` when there is nothing to train.
    public init(
        model: Decoder, training: [Example], evaluation: [Example], arguments: TrainingArguments,
        observers: [any RunObserver] = [], logger: Logger = Logger(label: "meno.training"),
        shouldStop: @escaping () -> Bool = { false }
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
        batches = arguments.batches(exampleCount: training.count)
        totalSteps = arguments.totalSteps(batches)
        rates = arguments.learningRates(totalSteps: totalSteps)
        optimizerStep = try OptimizerStep(
            model: model, options: arguments.optimizer, maxGradientNorm: arguments.maxGradientNorm)
    }

    /// Runs to the last step, or until it is told to stop.
    /// - Throws: ``TrainingError`` (a loss that is not finite) or `TorchError`; the model then has the parameters of
    ///   the last good step.
    @discardableResult
    public func run(model name: String) throws -> RunOutcome {
        try RandomGenerator.seed(arguments.seed)
        model.usesGradientCheckpointing = arguments.gradientCheckpointing
        observers.emit(.started(description(name)))
        let start = clock.now
        var done = 0
        do {
            done = try steps()
        } catch let error as TrainingError where error.code == .interrupted {
            return finish(.interrupted, step: stepsDone, since: start)
        } catch {
            observers.emit(
                .finished(
                    RunOutcome(
                        reason: .failed, message: "\(error)", step: stepsDone, seconds: (clock.now - start).seconds)))
            throw error
        }
        return finish(done < totalSteps ? .interrupted : .completed, step: done, since: start)
    }

    private var stepsDone = 0

    private func steps() throws -> Int {
        if arguments.evaluatesOnStart { try evaluate(after: 0) }
        while stepsDone < totalSteps {
            guard !shouldStop() else { return stepsDone }
            try step(stepsDone)
            stepsDone += 1
            let isLast = stepsDone == totalSteps
            if arguments.memoryClearInterval > 0, stepsDone % arguments.memoryClearInterval == 0 { releaseMemory() }
            if let interval = arguments.evaluationInterval(batches), stepsDone % interval == 0 || isLast {
                try evaluate(after: stepsDone)
            }
        }
        return stepsDone
    }

    private func step(_ step: Int) throws {
        let start = clock.now
        let examples = batches.examples(ofStep: step).map { training[$0] }
        let passes = Pass.plan(examples, tokens: arguments.tokensPerPass).map { Pass(Array(examples[$0])) }
        let rate = rates.rate(atStep: step)
        let result: StepResult
        do {
            result = try optimizerStep.run(passes, learningRate: rate)
        } catch let error as TrainingError where error.code == .notFinite {
            observers.emit(.stepSkipped(step: step + 1, reason: error.message, records: examples.map(\.place)))
            throw TrainingError(
                .notFinite,
                "step \(step + 1): \(error.message) Its records: "
                    + examples.map(\.place).joined(separator: ", ") + ".", advice: error.advice)
        }
        observers.emit(
            .step(
                StepMetrics(
                    step: step + 1, epoch: epoch(after: step + 1), loss: result.loss,
                    gradientNorm: result.gradientNorm, learningRate: rate, tokens: result.tokenCount,
                    labels: result.labelCount, seconds: (clock.now - start).seconds)))
    }

    private func evaluate(after step: Int) throws {
        guard !evaluation.isEmpty else { return }
        let result = try Evaluator(model, tokensPerPass: arguments.tokensPerPass).evaluate(evaluation) { _ in
            !shouldStop()
        }
        releaseMemory()
        observers.emit(
            .evaluated(
                EvaluationMetrics(
                    step: step, epoch: epoch(after: step), loss: result.loss, tokenAccuracy: result.tokenAccuracy,
                    completionLoss: result.completionLoss, tokens: result.tokens, samples: result.rows.count,
                    seconds: result.seconds)))
        observers.emit(.resources(ResourceReading.current(step: step, device: model.device)))
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

    private func finish(_ reason: RunOutcome.Reason, step: Int, since start: ContinuousClock.Instant) -> RunOutcome {
        let outcome = RunOutcome(reason: reason, step: step, seconds: (clock.now - start).seconds)
        observers.emit(.finished(outcome))
        return outcome
    }

    private func description(_ name: String) -> RunDescription {
        RunDescription(
            model: name, architecture: model.configuration.modelType, device: "\(model.device)",
            dtype: "\(model.computeType)", trainSamples: training.count, evaluationSamples: evaluation.count,
            totalSteps: totalSteps, stepsPerEpoch: batches.stepsPerEpoch,
            trainedParameters: model.trainedParameters.reduce(0) { $0 + $1.tensor.count },
            totalParameters: model.parameters.reduce(0) { $0 + $1.tensor.count })
    }
}
