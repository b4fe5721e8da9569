internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// What a run says of itself.
extension TrainingLoop {
    func description(_ name: String) -> RunDescription {
        RunDescription(
            model: name, architecture: model.configuration.modelType, device: "\(model.device)",
            dtype: model.precision, trainSamples: training.count, evaluationSamples: evaluation.count,
            totalSteps: totalSteps, stepsPerEpoch: batches.stepsPerEpoch,
            trainedParameters: model.trainedParameterCount,
            totalParameters: model.parameterCount, resumedAtStep: resumption?.step ?? 0,
            // A run without a log has one line, at its end.
            loggingSteps: arguments.loggingInterval(batches) ?? max(1, totalSteps),
            logsFirstStep: arguments.logsFirstStep,
            labelEntropy: objective is SupervisedObjective && arguments.labelSmoothing == 0
                ? labelEntropy : nil,
            evaluationSteps: evaluation.isEmpty ? nil : arguments.evaluationInterval(batches),
            evaluationTokens: evaluation.isEmpty ? nil : evaluation.reduce(0) { $0 + $1.tokenCount },
            processes: processes.size > 1 ? processes.size : nil)
    }

    /// Of the labels that are trained on; of very many examples, of a sample of them. `nil` where they cannot be read.
    private var labelEntropy: Double? {
        guard training.hasTokens else { return nil }
        let stride = max(1, training.count / Self.mostCountedExamples)
        return try? training.labelEntropy(at: Swift.stride(from: 0, to: training.count, by: stride))
    }

    private static let mostCountedExamples = 200_000

    func outcome(_ reason: RunOutcome.Reason, message: String?) -> RunOutcome {
        RunOutcome(
            reason: reason, message: message, step: stepsDone, seconds: (clock.now - start) / .seconds(1),
            bestStep: progress.best.step, bestMetric: progress.best.value,
            observerSeconds: observers.time / .seconds(1))
    }

    func emitResources() {
        var usage = ResourceReading.current(step: stepsDone, device: model.device)
        usage.computingSeconds = optimizerStep.takeComputingSeconds()
        observers.emit(.resources(usage))
    }

    /// Warns, before anything is computed, of what will not go well.
    func warn() {
        if let fault = rates.fault(from: stepsDone) { observers.emit(.warning("\(fault).")) }
        warnOfLength()
        warnOfSpace()
        if model.device.kind == .cuda, let fault = model.device.kernelFault {
            observers.emit(.notice("the fused kernels do not run on this GPU, so steps are slower: \(fault)"))
        }
    }

    /// Positions that the model has never seen are neither refused nor learnt well.
    private func warnOfLength() {
        let longest = max(training.longestSequence, evaluation.longestSequence)
        let context = model.configuration.maximumPositions
        guard longest > context else { return }
        observers.emit(
            .warning(
                "examples have up to \(longest) tokens, but the model was trained for \(context): its quality beyond that is "
                    + "poor. Limit them to \(context) tokens or fewer."))
    }

    /// A disk without room for even one checkpoint.
    private func warnOfSpace() {
        let disk = diskForecast
        guard isFirst, let store = saving?.store, disk.checkpoints > 0, let free = store.freeSpace,
            free < disk.checkpoint + CheckpointStore.reserve
        else { return }
        let mebibytes = { (bytes: Int) in (bytes + (1 << 20) - 1) >> 20 }
        observers.emit(
            .warning(
                "\(store.folder.path): \(free >> 20) MiB are free, and a checkpoint needs "
                    + "\(mebibytes(disk.checkpoint + CheckpointStore.reserve)), so none will be saved. The run writes up to "
                    + "\(mebibytes(disk.total)) MiB; free some space, or choose another base_output_dir."))
    }
}
