internal import MenoData
internal import MenoMetrics

/// What comes when.
extension TrainingLoop {
    var stepsDone: Int { progress.stepsDone }

    var isLastStep: Bool { stepsDone == totalSteps }

    var isEvaluationDue: Bool {
        guard let interval = arguments.evaluationInterval(batches), !evaluation.isEmpty else { return false }
        return stepsDone % interval == 0 || isLastStep
    }

    /// Beside the regular steps, a new best model is saved where it is to be loaded at the end.
    var savesNow: Bool {
        guard let interval = arguments.saveInterval(batches) else { return false }
        return isLastStep || stepsDone % interval == 0
            || (arguments.loadsBestModelAtEnd && progress.best.step == stepsDone)
    }

    func isLogged(_ step: Int) -> Bool {
        if arguments.logsFirstStep, step == 1 { return true }
        return arguments.loggingInterval(batches).map { step % $0 == 0 || step == totalSteps } ?? false
    }

    /// Passes over the data after some steps; the last step of an epoch may be a short one.
    func epoch(after step: Int) -> Double {
        let (epochs, within) = step.quotientAndRemainder(dividingBy: batches.stepsPerEpoch)
        return Double(epochs) + Double(within) / Double(batches.stepsPerEpoch)
    }

    func checkLearningRates() throws {
        let wasBegunSo = resumption.map { !$0.hasChanges } ?? false
        try arguments.checkLearningRates(totalSteps: totalSteps, stepsDone: stepsDone, wasBegunSo: wasBegunSo)
    }
}
