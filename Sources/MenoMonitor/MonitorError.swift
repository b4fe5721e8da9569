public import MenoErrors

/// What the monitor cannot work with. Its place is a threshold, or a place in a file: `line 3, column 7`, `log_history[4].loss`.
public typealias MonitorError = CodedError<MonitorErrorCode>

/// What a ``MonitorError`` is about.
public enum MonitorErrorCode: String, ErrorCode {
    /// A threshold that no run can be judged by.
    case invalidConfiguration
    /// A recorded run that is damaged, or no recorded run at all.
    case malformed

    /// What a program makes of the error.
    public var kind: ErrorKind {
        .badInput
    }
}
