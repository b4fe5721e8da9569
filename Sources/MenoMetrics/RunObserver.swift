/// Something that follows a run: a console, a log file, a monitor, a dashboard.
///
/// Observers are called in turn on the training loop's own thread; what one of them throws is reported once and
/// never reaches the training.
public protocol RunObserver {
    func observe(_ event: RunEvent) throws
}

/// What a checkpoint policy answers after an evaluation.
public protocol CheckpointPolicy {
    /// Whether the present state deserves a stable checkpoint, and why.
    func stableCheckpointReason(afterStep step: Int) -> String?
}
