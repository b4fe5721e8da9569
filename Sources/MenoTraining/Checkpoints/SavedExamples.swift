public import Foundation
public import MenoData

/// The examples that a checkpoint's run was trained and evaluated on.
public struct SavedExamples: Sendable, Hashable {
    private let training: String?
    /// `nil` where the checkpoint does not name them.
    private let heldOut: String?

    /// - Returns: `nil` where the folder holds no checkpoint of ours that can be read.
    public init?(of checkpoint: URL) {
        let url = checkpoint.appending(path: RunState.name)
        guard let state = try? CheckpointStore.decoder.decode(RunState.self, from: Data(contentsOf: url)) else { return nil }
        training = state.settings["data"]
        heldOut = state.settings[SavedRun.evaluationKey]
    }

    /// Whether they are these, in this order.
    public func are(training: [Example], heldOut: [Example]) -> Bool {
        self.training == TrainingLoop.fingerprint(training)
            && (self.heldOut == nil || self.heldOut == TrainingLoop.fingerprint(heldOut))
    }
}
