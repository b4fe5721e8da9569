package import Foundation

/// Something that follows a run: a console, a log file, a monitor, a dashboard.
///
/// Observers are called in turn on the training loop's thread. An error of an observer is reported once and never stops training.
/// Observers cannot change the course of a run; a ``RunPolicy`` can.
package protocol RunObserver {
    func observe(_ event: RunEvent) throws
}

/// An observer whose work continues after a run was interrupted and resumed.
package protocol ResumableObserver: RunObserver {
    /// A name for the state that is unique among the observers of a run.
    var stateName: String { get }
    /// The state for ``restore(_:)``. Everything written so far is on disk when this returns.
    func state() throws -> Data
    /// Returns to a saved state and discards everything after it.
    func restore(_ state: Data) throws
}
