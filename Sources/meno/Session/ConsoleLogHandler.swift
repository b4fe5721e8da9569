import Logging

/// Tells what a run has no event for, as an observer that failed, in the form of the rest.
struct ConsoleLogHandler: LogHandler {
    let log: ConsoleLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(_ log: ConsoleLog) { self.log = log }

    func log(event: LogEvent) { log.warn("\(event.message)") }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
