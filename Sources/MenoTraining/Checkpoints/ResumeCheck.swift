package import Foundation
package import MenoData
package import MenoModels

/// Tells whether a run can start, or be resumed from a checkpoint, before its model is loaded.
package struct ResumeCheck {
    private let settings: [String: String]
    private let form: SavedForm
    private let arguments: TrainingArguments
    private let totalSteps: Int

    /// - Parameters:
    ///   - settings: what the run means, key by key, but for its data.
    ///   - form: what the run trains.
    package init(
        settings: [String: String], form: SavedForm, arguments: TrainingArguments, training: [Example],
        evaluation: [Example]
    ) throws {
        try arguments.validate()
        self.settings = settings.merging(Self.dataSettings(training: training, evaluation: evaluation)) { $1 }
        self.form = form
        self.arguments = arguments
        totalSteps = arguments.totalSteps(arguments.batches(lengths: training.map(\.ids.count)))
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
            (step, changes) = (saved.state.progress.stepsDone, saved.changes(settings))
        }
        try Self.refuse(changes, step: step, of: folder, totalSteps: totalSteps, allowsChanges: allowsChanges)
        try arguments.checkLearningRates(totalSteps: totalSteps, stepsDone: step, wasBegunSo: changes.isEmpty)
    }

    static func refuse(
        _ changes: [String], step: Int, of folder: URL, totalSteps: Int, allowsChanges: Bool
    ) throws {
        guard changes.isEmpty || allowsChanges else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of a run with other settings: \(changes.joined(separator: "; ")).",
                advice: "Undo the changes, or allow them.", settings: [.allowedChanges])
        }
        guard step <= totalSteps else {
            throw TrainingError(
                .cannotResume, "\(folder.path) is of step \(step); the run ends at step \(totalSteps).")
        }
    }

    /// What tells apart the examples of a run.
    static func dataSettings(training: [Example], evaluation: [Example]) -> [String: String] {
        ["data": fingerprint(training), SavedRun.evaluationKey: fingerprint(evaluation)]
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
