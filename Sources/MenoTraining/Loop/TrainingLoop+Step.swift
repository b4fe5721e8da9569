internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// One optimizer step.
extension TrainingLoop {
    func step(_ step: Int) throws {
        let start = clock.now
        let rate = rates.rate(atStep: step)
        guard let result = try attempt(step, learningRate: rate) else { return }
        progress.skippedSteps = 0
        let metrics = StepMetrics(
            step: step + 1, epoch: epoch(after: step + 1), loss: result.loss, gradientNorm: result.gradientNorm,
            learningRate: rate, tokens: result.tokenCount, labels: result.labelCount,
            seconds: (clock.now - start) / .seconds(1), objective: result.objective)
        progress.log.add(metrics, isLogged: isLogged(step + 1))
        observers.emit(.step(metrics))
    }

    /// Makes a step; where memory does not suffice, again in smaller passes, with the same elements dropped.
    /// - Returns: `nil` for a step that was skipped.
    /// - Throws: what ends the run; what is saved then is as if the step had not been tried.
    func attempt(_ step: Int, learningRate: Double) throws -> StepResult? {
        let skippedBefore = progress.skippedSteps
        model.randomKey = RowKeys.key(seed: arguments.seed, step: step)
        do {
            while true {
                let prepared = try loader.load(step, tokensPerPass: progress.passLimits.training(of: passSizes))
                do {
                    return try optimizerStep.run(prepared.passes, learningRate: learningRate)
                } catch let error as TrainingError where error.code == .notFinite {
                    try skip(step, training.examples(at: prepared.examples), error)
                    return nil
                } catch let error as TorchError where error.code == .outOfMemory {
                    try agreement.together { try makePassesSmaller(prepared.passes, error) }
                    progress.passLimits.training = try agreement.least(progress.passLimits.training)
                } catch is Agreement.OutOfMemoryElsewhere {
                    // All divide a step into the same passes.
                    try agreement.together {}
                    progress.passLimits.training = try agreement.least(progress.passLimits.training)
                }
            }
        } catch {
            progress.skippedSteps = skippedBefore
            throw error
        }
    }

    /// Skips a step whose loss or gradient is not finite; too many in a row end the run.
    private func skip(_ step: Int, _ examples: [Example], _ error: TrainingError) throws {
        progress.skippedSteps += 1
        let places = examples.map(\.place)
        observers.emit(.stepSkipped(step: step + 1, reason: error.message, records: places))
        guard progress.skippedSteps >= arguments.maxSkippedSteps else { return }
        throw TrainingError(
            .notFinite,
            "step \(step + 1): \(error.message) \(progress.skippedSteps) steps in a row were skipped. "
                + "Its records: \(places.joined(separator: ", ")).", advice: error.advice)
    }
}
