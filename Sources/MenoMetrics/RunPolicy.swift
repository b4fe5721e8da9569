package import Foundation

/// Decides about the course of a run: when a stable checkpoint is saved or removed, and whether the run stops.
package protocol RunPolicy {
    /// The decisions after an event, in order. Called on the training loop's thread once every observer has seen the event. Not
    /// called for events that policies announce, so that policies cannot trigger each other.
    func decisions(after event: RunEvent) -> [RunDecision]
}

/// A decision of a policy.
package enum RunDecision: Sendable, Hashable {
    /// Show an event to all observers.
    case announce(RunEvent)
    /// Save the present state as a stable checkpoint, together with these small files, given by name. The result is emitted
    /// as `.checkpointSaved` or `.checkpointFailed` of kind `stable`. It is tried once at each step.
    case saveStableCheckpoint(files: [String: Data])
    /// Remove the stable checkpoint of a step.
    case removeStableCheckpoint(step: Int)
    /// Save a checkpoint of the present state, to resume from.
    case saveCheckpoint
    /// Stop the run after the present step, with a checkpoint to resume from.
    case stop(reason: String)
}
