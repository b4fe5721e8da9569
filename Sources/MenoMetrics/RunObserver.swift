package import Foundation

/// Something that follows a run: a console, a log file, a monitor, a dashboard.
///
/// Observers are called in turn on the training loop's own thread. What one of them throws is reported once and never reaches
/// the training. They only observe: what changes the course of a run is a ``RunPolicy``.
package protocol RunObserver {
    func observe(_ event: RunEvent) throws
}

/// An observer whose work continues after a run was interrupted and resumed.
package protocol ResumableObserver: RunObserver {
    /// Tells the observers of a run apart.
    var stateName: String { get }
    /// What ``restore(_:)`` needs. What was written so far is on the disk when this returns.
    func state() throws -> Data
    /// Returns to a state; what was done after it is forgotten.
    func restore(_ state: Data) throws
}
