public import Foundation

/// Something that follows a run: a console, a log file, a monitor, a dashboard.
///
/// Observers are called in turn on the training loop's own thread; what one of them throws is reported once and
/// never reaches the training.
public protocol RunObserver {
    func observe(_ event: RunEvent) throws
}

/// An observer whose work goes on after a run was cut and resumed.
public protocol ResumableObserver: RunObserver {
    /// Tells observers of a run apart.
    var stateName: String { get }
    /// What ``restore(_:)`` needs; what was written up to now is on the disk when this returns.
    func state() throws -> Data
    /// Goes back to a state; what was done after it is forgotten.
    func restore(_ state: Data) throws
}

/// What a checkpoint policy answers after an evaluation.
public protocol CheckpointPolicy {
    /// Whether the present state deserves a stable checkpoint, and why.
    func stableCheckpointReason(afterStep step: Int) -> String?
}
