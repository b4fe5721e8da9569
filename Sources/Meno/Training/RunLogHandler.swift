internal import Logging

/// Passes on what a run has no event for, such as an observer that failed.
struct RunLogHandler: LogHandler {
    let log: any SessionLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(_ log: any SessionLog) { self.log = log }

    func log(event: LogEvent) { log.warn("\(event.message)") }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
