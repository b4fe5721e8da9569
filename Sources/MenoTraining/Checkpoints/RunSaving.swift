internal import Foundation
internal import MenoFormats
package import MenoModels
internal import MenoTensor

/// Where and how a run saves itself.
package struct RunSaving: Sendable {
    /// Of regular checkpoints; stable ones are beside them.
    package var store: CheckpointStore
    package var form: SavedForm
    /// The settings that affect the result; a run can be resumed only if they are unchanged.
    package var settings: [String: String]

    package init(store: CheckpointStore, form: SavedForm, settings: [String: String]) {
        self.store = store
        self.form = form
        self.settings = settings
    }

    var stableStore: CheckpointStore { CheckpointStore(store.folder, kind: .stable) }
}

/// A checkpoint to resume from.
struct SavedRun {
    var state: RunState
    /// The state of observers, by name. It may contain times, so it is kept apart from ``RunState``, which is the
    /// same for a run with and without an interruption.
    let observers: [String: Data]
    var log: [TrainerState.LogEntry] { state.progress.log.entries }

    /// Reads a complete checkpoint written by Meno.
    init(_ folder: URL) throws {
        if let fault = CheckpointManifest.fault(of: folder) {
            throw TrainingError(
                .cannotResume, "\(folder.path) cannot be resumed from: \(fault).",
                advice: "Resume from another checkpoint, or from the newest complete one (auto).",
                settings: [.resumption])
        }
        guard Self.isWhole(folder) else {
            throw TrainingError(
                .cannotResume, "\(folder.path) cannot be resumed from: \(Self.modelAlone).",
                advice:
                    "Start a new run from it: use it as the initial adapter if it is an adapter, or else as the model.",
                settings: [.initialAdapter, .model])
        }
        state = try Self.read(RunState.name, in: folder)
        observers = try Self.read(CheckpointStore.observersName, in: folder)
        guard state.version == 1 else {
            throw TrainingError(
                .cannotResume, "\(folder.path) has version \(state.version); this program supports version 1.")
        }
    }

    /// Whether a checkpoint contains more than the model.
    static func isWhole(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appending(path: RunState.name).path)
    }

    static let modelAlone = "it contains only the model (save_only_model), without the optimizer and the random states"

    private static func read<Value: Decodable>(_ name: String, in folder: URL) throws -> Value {
        let url = folder.appending(path: name)
        do {
            return try CheckpointStore.decoder.decode(Value.self, from: Data(contentsOf: url))
        } catch {
            throw TrainingError(.cannotResume, "\(url.path) cannot be read (\(error)).")
        }
    }

    /// The key in the settings that identifies the held-out examples. Older checkpoints do not have it.
    static let evaluationKey = "data (held out)"
    var tellsEvaluation: Bool { state.settings[Self.evaluationKey] != nil }

    /// Whether evaluations before this checkpoint used different examples.
    func changesEvaluation(_ settings: [String: String]) -> Bool {
        guard let before = state.settings[Self.evaluationKey] else { return false }
        return before != settings[Self.evaluationKey]
    }

    /// Settings that older checkpoints do not record.
    private static let laterKeys = [
        evaluationKey, "training.metric_for_best_model", RunSaving.templateKey, RunSaving.dateKey,
    ]

    /// The settings that differ, in words.
    func changes(_ settings: [String: String]) -> [String] {
        Set(state.settings.keys).union(settings.keys).sorted().compactMap { key in
            if Self.laterKeys.contains(key), state.settings[key] == nil { return nil }
            let (before, now) = (state.settings[key] ?? "(absent)", settings[key] ?? "(absent)")
            return before == now ? nil : "\(key) was \(Self.shown(before)), is now \(Self.shown(now))"
        }
    }

    /// A value for a message, shortened if it is long, such as a chat template.
    private static func shown(_ value: String) -> String {
        value.count > 100 ? "\(value.prefix(40))… (\(value.count) characters)" : value
    }
}
