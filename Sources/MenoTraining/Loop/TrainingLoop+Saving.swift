public import Foundation
internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// Saving and resuming.
extension TrainingLoop {
    /// Begins to write a checkpoint of this moment. A fault is told and does not harm the training.
    /// - Parameter isWhole: whether it holds all that a run needs to be resumed, even if others hold the model alone.
    func save(isWhole: Bool = false) {
        let isWhole = isWhole || !arguments.savesOnlyModel
        guard let saving, let writer, stepsDone > 0, savedStep != stepsDone || (isWhole && resumableStep != stepsDone)
        else { return }
        // What observers know of the checkpoints before this one is part of its state.
        finishSaving()
        confirmBest()
        do {
            writer.begin(try contents(saving, isWhole: isWhole), keeping: best.step.map { [$0] } ?? [])
            savedStep = stepsDone
            resumableStep = isWhole ? stepsDone : nil
        } catch {
            observers.emit(.checkpointFailed(kind: .regular, step: stepsDone, reason: error.text))
        }
    }

    func saveStable(_ files: [String: Data]) {
        guard let saving, let writer, stepsDone > 0 else { return }
        do {
            var contents = try contents(saving, isWhole: !arguments.savesOnlyModel)
            contents.files.merge(files) { own, _ in own }
            writer.beginStable(contents)
        } catch {
            observers.emit(.checkpointFailed(kind: .stable, step: stepsDone, reason: error.text))
        }
    }

    /// A disk without room for even one checkpoint is told of before anything is computed.
    func warnOfSpace() {
        let disk = diskForecast
        guard let store = saving?.store, disk.checkpoints > 0, let free = store.freeSpace,
            free < disk.checkpoint + CheckpointStore.reserve
        else { return }
        let mebibytes = { (bytes: Int) in (bytes + (1 << 20) - 1) >> 20 }
        observers.emit(
            .warning(
                "\(store.folder.path): \(free >> 20) MiB are free, and a checkpoint needs "
                    + "\(mebibytes(disk.checkpoint + CheckpointStore.reserve)): none will be saved. The run writes up to "
                    + "\(mebibytes(disk.total)) MiB; free some space, or choose another base_output_dir."))
    }

    private func contents(_ saving: RunSaving, isWhole: Bool) throws -> CheckpointStore.Contents {
        var contents = CheckpointStore.Contents(
            step: stepsDone, form: saving.form, weights: try model.trainedValues(), optimizer: nil,
            files: [TrainerState.name: try CheckpointStore.encoder.encode(trainerState(saving))])
        guard isWhole else { return contents }
        contents.optimizer = try NamedValues(optimizerStep.optimizer.state)
        contents.files[RunState.name] = try CheckpointStore.encoder.encode(try runState(saving))
        contents.files[CheckpointStore.observersName] = try CheckpointStore.encoder.encode(observers.states())
        return contents
    }

    /// Tells what became of checkpoints, and does what observers ask for.
    func settle() {
        for event in writer?.takeEvents() ?? [] {
            if case .checkpointFailed(.regular, savedStep, _) = event { (savedStep, resumableStep) = (nil, nil) }
            observers.emit(event)
        }
        for request in observers.takeRequests() {
            switch request {
            case .saveStableCheckpoint(let files): saveStable(files)
            case .removeStableCheckpoint(let step): writer?.removeStable(step: step)
            case .stop(let reason): stopReason = stopReason ?? reason
            case .tell: break
            }
        }
    }

    /// Waits until everything that was asked for is on the disk.
    func finishSaving() {
        // What is told of one checkpoint may ask for the removal of another.
        for _ in 0..<3 {
            settle()
            writer?.wait()
        }
        settle()
    }

    func runState(_ saving: RunSaving) throws -> RunState {
        let randomStates = try RandomStates(of: model.device).states.map { ("\($0.device)", Data($0.state)) }
        return RunState(
            step: stepsDone, settings: saving.settings, tokensPerPass: tokensPerPass,
            randomStates: Dictionary(uniqueKeysWithValues: randomStates), best: best, log: log,
            skippedSteps: skippedSteps)
    }

    func trainerState(_ saving: RunSaving) -> TrainerState {
        TrainerState(
            bestGlobalStep: best.step, bestMetric: best.value,
            bestModelCheckpoint: best.step.map { best.folder ?? saving.store.url(step: $0).lastPathComponent },
            epoch: epoch(after: stepsDone), evalSteps: arguments.evaluationInterval(batches) ?? totalSteps,
            globalStep: stepsDone, logHistory: log.entries,
            loggingSteps: arguments.loggingInterval(batches) ?? totalSteps, maxSteps: totalSteps,
            numInputTokensSeen: log.tokens, numTrainEpochs: arguments.epochs,
            saveSteps: arguments.saveInterval(batches) ?? totalSteps,
            trainBatchSize: arguments.batchSize)
    }

    /// Goes back to a checkpoint; ``run(model:)`` then continues from there.
    /// - Parameter allowsChanges: whether settings that change the run's meaning may differ.
    /// - Throws: ``TrainingError`` with `cannotResume`, which names what is broken or has changed.
    public func resume(from folder: URL, allowsChanges: Bool = false) throws {
        guard let saving else {
            throw TrainingError(.cannotResume, "a run that saves nothing cannot be resumed.")
        }
        if let foreign = try ForeignCheckpoint(folder) {
            return try resume(from: foreign, saving, allowsChanges: allowsChanges)
        }
        let saved = try SavedRun(folder)
        let changes = saved.changes(saving.settings)
        let state = saved.state
        try ResumeCheck.refuse(
            changes, step: state.step, of: folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try saving.form.restore(model, from: folder)
        try NamedValues.restore(
            optimizerStep.optimizer.state, from: folder.appending(path: CheckpointStore.optimizerName))
        for device in RandomStates.devices(of: model.device) {
            guard let bytes = state.randomStates["\(device)"] else { continue }
            try RandomGenerator.setState([UInt8](bytes), of: device)
        }
        // Only now is it certain that the run goes on from here.
        try setAsideAbandoned(saving, after: state.step)
        // Another division into passes would round differently.
        tokensPerPass = arguments.tokensPerPass ?? state.tokensPerPass
        (stepsDone, savedStep, resumableStep, resumedAtStep) = (state.step, state.step, state.step, state.step)
        (log, skippedSteps) = (state.log, state.skippedSteps)
        isResumedWithChanges = !changes.isEmpty
        observers.restore(saved.observers)
        restoreBest(saved, from: folder)
        writer?.rotate(keeping: Set([state.step, best.step].compactMap { $0 }))
        if !saved.tellsEvaluation {
            observers.emit(
                .notice("\(folder.path) does not tell its held-out examples: that they are the same is not checked"))
        }
        for change in changes { observers.emit(.warning("resumed with another setting: \(change)")) }
    }

    func resume(from checkpoint: ForeignCheckpoint, _ saving: RunSaving, allowsChanges: Bool) throws {
        let changes = try checkpoint.changes(form: saving.form, totalSteps: totalSteps)
        try ResumeCheck.refuse(
            changes, step: checkpoint.step, of: checkpoint.folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try saving.form.restore(model, from: checkpoint.folder)
        try RandomGenerator.seed(arguments.seed &+ UInt64(checkpoint.step))
        try setAsideAbandoned(saving, after: checkpoint.step)
        (stepsDone, savedStep, resumedAtStep) = (checkpoint.step, checkpoint.step, checkpoint.step)
        resumableStep = checkpoint.step
        isResumedWithChanges = !changes.isEmpty
        log = checkpoint.log
        // Its evaluations may be of other examples.
        best = BestModel(since: checkpoint.step)
        observers.emit(.warning(ForeignCheckpoint.lacks))
        for change in changes { observers.emit(.warning("resumed with another setting: \(change)")) }
    }

    /// Where there are whole checkpoints of later steps, an older one was chosen: another branch begins.
    private func setAsideAbandoned(_ saving: RunSaving, after step: Int) throws {
        let later = saving.store.steps.filter { $0 > step }
        guard later.contains(where: { CheckpointManifest.hasFiles(saving.store.url(step: $0)) }) else { return }
        for store in [saving.store, saving.stableStore] {
            for name in try store.setAside(after: step) {
                observers.emit(.notice("of a later step, set aside: \(store.folder.lastPathComponent)/\(name)"))
            }
        }
    }
}
