public import Foundation
internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// Saving and resuming.
extension TrainingLoop {
    /// Begins to write a checkpoint of this moment. A fault is told and does not harm the training.
    func save() {
        guard let saving, let writer, stepsDone > 0, savedStep != stepsDone else { return }
        // What observers know of the checkpoints before this one is part of its state.
        finishSaving()
        do {
            writer.begin(try contents(saving), keeping: best.step.map { [$0] } ?? [])
            savedStep = stepsDone
        } catch {
            observers.emit(.checkpointFailed(kind: .regular, step: stepsDone, reason: error.text))
        }
    }

    func saveStable(_ files: [String: Data]) {
        guard let saving, let writer, stepsDone > 0 else { return }
        do {
            var contents = try contents(saving)
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

    private func contents(_ saving: RunSaving) throws -> CheckpointStore.Contents {
        CheckpointStore.Contents(
            step: stepsDone, form: saving.form, weights: try model.trainedValues(),
            optimizer: try NamedValues(optimizerStep.optimizer.state),
            files: [
                RunState.name: try CheckpointStore.encoder.encode(try runState(saving)),
                TrainerState.name: try CheckpointStore.encoder.encode(trainerState(saving)),
                CheckpointStore.observersName: try CheckpointStore.encoder.encode(observers.states()),
            ])
    }

    /// Tells what became of checkpoints, and does what observers ask for.
    func settle() {
        for event in writer?.takeEvents() ?? [] {
            if case .checkpointFailed(.regular, savedStep, _) = event { savedStep = nil }
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
        if let foreign = try ForeignCheckpoint(folder) {
            return try resume(from: foreign, saving, allowsChanges: allowsChanges)
        }
        let saved = try SavedRun(folder)
        let changes = saved.changes(saving.settings)
        let state = saved.state
        try checkChanges(changes, step: state.step, of: folder, allowsChanges: allowsChanges)
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
        (stepsDone, savedStep, resumedAtStep) = (state.step, state.step, state.step)
        (log, skippedSteps) = (state.log, state.skippedSteps)
        best = state.best.judged(
            by: arguments.bestMetric, threshold: arguments.earlyStoppingThreshold, evaluations: log.entries)
        observers.restore(saved.observers)
        writer?.rotate(keeping: Set([state.step, best.step].compactMap { $0 }))
        if !saved.tellsEvaluation {
            observers.emit(
                .notice("\(folder.path) does not tell its held-out examples: that they are the same is not checked"))
        }
        for change in changes { observers.emit(.warning("resumed with another setting: \(change)")) }
    }

    func resume(from checkpoint: ForeignCheckpoint, _ saving: RunSaving, allowsChanges: Bool) throws {
        let changes = try checkpoint.changes(form: saving.form, totalSteps: totalSteps)
        try checkChanges(changes, step: checkpoint.step, of: checkpoint.folder, allowsChanges: allowsChanges)
        try saving.form.restore(model, from: checkpoint.folder)
        try RandomGenerator.seed(arguments.seed &+ UInt64(checkpoint.step))
        try setAsideAbandoned(saving, after: checkpoint.step)
        (stepsDone, savedStep, resumedAtStep) = (checkpoint.step, checkpoint.step, checkpoint.step)
        log = checkpoint.log
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

    func checkChanges(_ changes: [String], step: Int, of folder: URL, allowsChanges: Bool) throws {
        guard changes.isEmpty || allowsChanges else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of a run with other settings: \(changes.joined(separator: "; ")).",
                advice: "Undo the changes, or give --allow-changes to go on with them.")
        }
        guard step <= totalSteps else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of step \(step); the run ends at step \(totalSteps).")
        }
    }

    /// Tells apart data, tokenizers and templates: FNV-1a over every id and label.
    static func fingerprint(_ examples: [Example]) -> String {
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
