/// What happens when a record is unfit.
public enum InvalidRecordPolicy: String, Sendable, Hashable, CaseIterable {
    /// It is left out, counted and reported.
    case skip
    /// Reading ends with an error that lists every such record.
    case stop
}
