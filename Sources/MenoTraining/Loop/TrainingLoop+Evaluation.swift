internal import MenoMetrics
internal import MenoTensor

/// Evaluations of a run, and what is done with the model after each.
extension TrainingLoop {
    /// - Returns: whether the run has not got better for so long that it ends.
    @discardableResult
    func evaluate() throws -> Bool {
        guard !evaluation.isEmpty else { return false }
        // A checkpoint is judged by what is on the disk.
        writer?.wait()
        settle()
        if isFirst { confirmBest() }
        // Passes are divided over the processes: all must have the same.
        progress.passLimits.evaluation = try agreement.least(progress.passLimits.evaluation)
        let result = try measureHeldOut()
        model.device.releaseMemory()
        let metrics = EvaluationMetrics(
            step: stepsDone, epoch: epoch(after: stepsDone), loss: result.loss, tokenAccuracy: result.tokenAccuracy,
            completionLoss: result.completionLoss, tokens: result.tokens, samples: result.rows.count,
            seconds: result.seconds, objective: result.summary?.metrics)
        progress.log.add(metrics)
        // A checkpoint that an interruption left of this step lacks its evaluation.
        savedStep = nil
        // The model before the first step is no result of the run.
        if stepsDone > 0 {
            progress.best.offer(
                metrics, arguments.bestMetric, threshold: arguments.earlyStoppingThreshold, isKept: keepsWeightsOfBest)
        }
        emit(metrics)
        emitResources()
        return arguments.earlyStoppingPatience.map { progress.best.evaluationsWithoutImprovement >= $0 } ?? false
    }

    private func measureHeldOut() throws -> Evaluation {
        let limit = progress.passLimits.evaluation(of: passSizes)
        return try Evaluator(model, objective: objective, tokensPerPass: limit, processes: processes).evaluate(
            evaluation
        ) { _ in
            !shouldStop()
        } onShortage: { tokens, message in
            progress.passLimits.evaluation = tokens
            observers.emit(.warning(message))
        }
    }

    /// Emits an evaluation, and what its stages find: policies judge all of it together.
    private func emit(_ metrics: EvaluationMetrics) {
        observers.show(.evaluated(metrics))
        var events = [RunEvent.evaluated(metrics)]
        for (number, stage) in stages.enumerated() {
            let found = faults.attempt(stage, number: number) {
                try stage.run(after: metrics, elapsed: clock.now - start)
            }
            for event in found ?? [] {
                observers.show(event)
                events.append(event)
            }
        }
        for event in events { observers.askPolicies(about: event) }
    }
}
