package import Foundation

/// Decides about the course of a run: when a stable checkpoint is saved or removed, and whether the run stops.
package protocol RunPolicy {
    /// What follows from an event, in order. The training loop asks on its own thread, once every observer has seen the event;
    /// it does not ask about what policies announce, so that none answers itself or another.
    func decisions(after event: RunEvent) -> [RunDecision]
}

/// What a policy decides.
package enum RunDecision: Sendable, Hashable {
    /// Show an event to all observers.
    case announce(RunEvent)
    /// Save the present state as a stable checkpoint, with these small files beside it, by their names. The result is emitted
    /// as `.checkpointSaved` or `.checkpointFailed` of kind `stable`. It is tried once at each step.
    case saveStableCheckpoint(files: [String: Data])
    /// Remove the stable checkpoint of a step.
    case removeStableCheckpoint(step: Int)
    /// Save a checkpoint of the present state, to resume from.
    case saveCheckpoint
    /// Stop the run after the present step, with a checkpoint to resume from.
    case stop(reason: String)
}
