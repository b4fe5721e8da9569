package import Foundation

/// What a tracker gets of a run besides its events.
package struct TrackedRun: Sendable {
    package var name: String
    /// Settings by the names that `TrainingArguments` has for them.
    package var parameters: [(name: String, value: String)]
    /// The run's own record, from which a resumed run sends what a tracker does not have yet.
    package var events: URL
    /// Where the tracker's own number of the run is kept, so that a resumed run stays the same run there.
    package var state: URL

    package init(name: String, parameters: [(name: String, value: String)], events: URL, state: URL) {
        self.name = name
        self.parameters = parameters
        self.events = events
        self.state = state
    }
}
