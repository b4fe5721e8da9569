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

/// What an observer asks of the run that it follows.
public enum RunRequest: Sendable, Hashable {
    /// Tell all observers of something, this one included.
    case tell(RunEvent)
    /// Save the present state as a stable checkpoint, with these small files beside it, by their names. The outcome is
    /// told as `.checkpointSaved` or `.checkpointFailed` of kind `stable`.
    case saveStableCheckpoint(files: [String: Data])
    /// Remove the stable checkpoint of a step.
    case removeStableCheckpoint(step: Int)
    /// End the run after the present step, with a checkpoint to go on from.
    case stop(reason: String)
}

/// An observer that asks something of the run in answer to what it is told.
public protocol SteeringObserver: RunObserver {
    /// What is asked since this was last called, in order.
    func takeRequests() -> [RunRequest]
}
