internal import Logging

/// Forwards log messages that have no event, such as a failed observer.
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
