internal import Foundation
internal import MenoModels

/// A `checkpoint-N` of Hugging Face's Trainer with PEFT: a run can be resumed with its adapter and its log. Its optimizer and
/// its random states are Python pickles, which are not read.
struct ForeignCheckpoint {
    private struct State: Decodable {
        var globalStep: Int
        var maxSteps: Int
        var logHistory: [TrainerState.LogEntry]
    }

    let folder: URL
    let step: Int
    private let state: State

    /// - Returns: `nil` where the folder is no checkpoint of Trainer's.
    init?(_ folder: URL) throws {
        let names = Set((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        guard names.contains(TrainerState.name), !names.contains(RunState.name),
            !names.contains(CheckpointManifest.name)
        else { return nil }
        let url = folder.appending(path: TrainerState.name)
        do {
            state = try CheckpointStore.decoder.decode(State.self, from: Data(contentsOf: url))
        } catch {
            throw TrainingError(.cannotResume, "\(url.path) is not a trainer_state.json of Trainer (\(error)).")
        }
        guard state.globalStep >= 0 else {
            throw TrainingError(
                .cannotResume, "\(url.path): \"global_step\" is \(state.globalStep); expected 0 or more.")
        }
        self.folder = folder
        step = state.globalStep
    }

    var log: StepLog { StepLog(entries: state.logHistory) }

    /// What of the run differs, in words, as far as the files tell. Which layers and modules are trained is seen when the tensors
    /// are read.
    func changes(form: SavedForm, totalSteps: Int) throws -> [String] {
        var changes: [String] = []
        func compare(_ name: String, _ before: some CustomStringConvertible, _ now: some CustomStringConvertible) {
            if "\(before)" != "\(now)" { changes.append("\(name) was \(before), is now \(now)") }
        }
        compare("the number of steps", state.maxSteps, totalSteps)
        if let now = form.adapterSettings {
            let before = try LoRAFiles.settings(in: folder)
            compare("r", before.rank, now.rank)
            compare("lora_alpha", before.alpha, now.alpha)
            compare("lora_dropout", before.dropout, now.dropout)
            compare("use_rslora", before.usesRankStabilization, now.usesRankStabilization)
            compare("use_dora", before.usesDoRA, now.usesDoRA)
            compare("rank_pattern", before.rankPattern, now.rankPattern)
            compare("alpha_pattern", before.alphaPattern, now.alphaPattern)
        }
        return changes
    }

    /// What such a checkpoint cannot give.
    static let lacks =
        "a checkpoint of Trainer: the adapter, the step and the log are restored. The optimizer's moments and the random states are "
        + "Python pickles and start from scratch, so the first steps differ from an uninterrupted run. The best model so far is "
        + "not restored, because its held-out examples are not known."
}
