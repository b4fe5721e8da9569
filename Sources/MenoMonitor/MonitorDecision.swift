package import MenoMetrics

/// What the monitor wants done, or told.
package enum MonitorDecision: Sendable, Hashable, Codable {
    /// Save the present state as a stable checkpoint, and let the monitor hear of the outcome: `.checkpointSaved` of
    /// kind `stable` at this step, or `.checkpointFailed`.
    case saveStableCheckpoint(StableCheckpointVerdict)
    /// An evaluation was judged, and no stable checkpoint is wanted.
    case declinedStableCheckpoint(StableCheckpointVerdict)
    /// Remove a stable checkpoint; the monitor has forgotten it already.
    case removeStableCheckpoint(step: Int, path: String)
    case alertBegan(Alert)
    /// The alert as it began, with its end.
    case alertEnded(Alert)
    /// A line for the log.
    case note(String)
}
