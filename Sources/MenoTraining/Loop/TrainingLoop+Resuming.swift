package import Foundation
internal import MenoData
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor

/// Where a run was resumed.
struct Resumption {
    var step: Int
    /// The checkpoint, if it is one of ours.
    var folder: URL?
    /// Whether settings differ from those of the checkpoint.
    var hasChanges: Bool
}

/// Resuming.
extension TrainingLoop {
    /// Goes back to a checkpoint; ``run(model:)`` then continues from there.
    /// - Parameter allowsChanges: whether settings that change the run's meaning may differ.
    /// - Throws: ``TrainingError`` with `cannotResume`, which names what is broken or has changed.
    package func resume(from folder: URL, allowsChanges: Bool = false) throws {
        guard let saving else {
            throw TrainingError(.cannotResume, "a run that saves nothing cannot be resumed.")
        }
        if let foreign = try ForeignCheckpoint(folder) {
            return try resume(from: foreign, saving, allowsChanges: allowsChanges)
        }
        let saved = try SavedRun(folder)
        let data = try DataFingerprint.settings(
            training: training, evaluation: evaluation, as: saved.state.settings)
        let changes = saved.changes(saving.settings.merging(data) { $1 })
        let state = saved.state
        try ResumeCheck.refuse(
            changes, step: state.progress.stepsDone, of: folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try saving.form.restore(model, from: folder)
        try NamedValues.restore(
            optimizerStep.optimizer.state, from: folder.appending(path: CheckpointStore.optimizerName))
        for device in RandomStates.devices(of: model.device) {
            guard let bytes = state.randomStates["\(device)"] else { continue }
            try RandomGenerator.setState([UInt8](bytes), of: device)
        }
        // Only now is it certain that the run resumes from here.
        try setAsideAbandoned(saving, after: state.progress.stepsDone)
        progress = state.progress
        if let chosen = arguments.tokensPerPass { progress.passLimits.training = chosen }
        (savedStep, resumableStep) = (stepsDone, stepsDone)
        resumption = Resumption(step: stepsDone, folder: folder, hasChanges: !changes.isEmpty)
        observers.restore(saved.observers)
        restoreBest(saved, from: folder)
        writer?.rotate(keeping: Set([stepsDone, progress.best.step].compactMap { $0 }))
        if !saved.tellsEvaluation {
            observers.emit(
                .notice(
                    "\(folder.path) does not record its held-out examples, so it is not checked that they are the same")
            )
        }
        for change in changes { observers.emit(.warning("resumed with a changed setting: \(change)")) }
    }

    func resume(from checkpoint: ForeignCheckpoint, _ saving: RunSaving, allowsChanges: Bool) throws {
        let changes = try checkpoint.changes(form: saving.form, totalSteps: totalSteps)
        try ResumeCheck.refuse(
            changes, step: checkpoint.step, of: checkpoint.folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try saving.form.restore(model, from: checkpoint.folder)
        try RandomGenerator.seed(arguments.seed &+ UInt64(checkpoint.step))
        try setAsideAbandoned(saving, after: checkpoint.step)
        progress.stepsDone = checkpoint.step
        progress.log = checkpoint.log
        // Its evaluations may be of other examples.
        progress.best = BestModel(since: checkpoint.step)
        (savedStep, resumableStep) = (checkpoint.step, checkpoint.step)
        resumption = Resumption(step: checkpoint.step, folder: nil, hasChanges: !changes.isEmpty)
        observers.emit(.warning(ForeignCheckpoint.lacks))
        for change in changes { observers.emit(.warning("resumed with a changed setting: \(change)")) }
    }

    /// Where there are whole checkpoints of later steps, an older one was chosen: another branch begins.
    private func setAsideAbandoned(_ saving: RunSaving, after step: Int) throws {
        let later = saving.store.steps.filter { $0 > step }
        guard isFirst, later.contains(where: { CheckpointManifest.hasFiles(saving.store.url(step: $0)) }) else {
            return
        }
        for store in [saving.store, saving.stableStore] {
            for name in try store.setAside(after: step) {
                observers.emit(
                    .notice("renamed a checkpoint of a later step: \(store.folder.lastPathComponent)/\(name)"))
            }
        }
    }
}
