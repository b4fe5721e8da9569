package import Foundation
package import MenoData
package import MenoModels

/// Tells whether a run can start, or be resumed from a checkpoint, before its model is loaded.
package struct ResumeCheck {
    private let settings: [String: String]
    private let training: any ExampleSource
    private let evaluation: [Example]
    private let form: SavedForm
    private let arguments: TrainingArguments
    private let totalSteps: Int

    /// - Parameters:
    ///   - settings: what the run means, key by key, but for its data.
    ///   - form: what the run trains.
    package init(
        settings: [String: String], form: SavedForm, arguments: TrainingArguments,
        training: any ExampleSource, evaluation: [Example]
    ) throws {
        try arguments.validate()
        self.settings = settings
        (self.training, self.evaluation) = (training, evaluation)
        self.form = form
        self.arguments = arguments
        totalSteps = arguments.totalSteps(arguments.batches(of: training))
    }

    /// - Parameter folder: a checkpoint; `nil`: the run is a new one.
    /// - Throws: ``TrainingError`` with `badArguments` for rates by which nothing is learnt, or with `cannotResume`, which names
    ///   what is broken or has changed. Whether the tensors fit is known only when they are read.
    package func check(_ folder: URL?, allowsChanges: Bool) throws {
        guard let folder else { return try arguments.checkLearningRates(totalSteps: totalSteps) }
        let (step, changes): (Int, [String])
        if let foreign = try ForeignCheckpoint(folder) {
            (step, changes) = (foreign.step, try foreign.changes(form: form, totalSteps: totalSteps))
        } else {
            let saved = try SavedRun(folder)
            let data = try DataFingerprint.settings(
                training: training, evaluation: evaluation, as: saved.state.settings)
            (step, changes) = (
                saved.state.progress.stepsDone, saved.changes(settings.merging(data) { $1 })
            )
        }
        try Self.refuse(changes, step: step, of: folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try arguments.checkLearningRates(totalSteps: totalSteps, stepsDone: step, wasBegunSo: changes.isEmpty)
    }

    static func refuse(
        _ changes: [String], step: Int, of folder: URL, totalSteps: Int, allowsChanges: Bool
    ) throws {
        guard changes.isEmpty || allowsChanges else {
            throw TrainingError(
                .cannotResume,
                "\(folder.path) comes from a run with other settings: \(changes.joined(separator: "; ")).",
                advice: "Undo the changes, or allow them.", settings: [.allowedChanges])
        }
        guard step <= totalSteps else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is at step \(step), but the run ends at step \(totalSteps).")
        }
    }
}
