internal import Foundation
internal import MenoConfiguration
internal import MenoMetrics
internal import MenoTracking

/// Sends the missing part of a finished run's record to the MLflow server named in the environment.
/// - Throws: `TrackingError` if the environment names no server, ``ConfigurationError`` if the run
///   is not finished.
package func sendToMLflow(_ run: RecordedRun, log: any SessionLog) throws {
    let layout = RunLayout(run.url)
    guard FileManager.default.fileExists(atPath: layout.events.path) else {
        throw ConfigurationError(
            .notFound, at: run.url.path, "there is no Meno run here: \(layout.events.path) is missing.")
    }
    guard RunLock.isHeld(run.url) != true else {
        throw ConfigurationError(
            .invalid, at: run.url.path, "the run has not ended.",
            advice: "Report to mlflow during training, or wait until the run has ended.", settings: [.trackers])
    }
    var tracked = layout.trackedRun(run.configuration)
    tracked.name = run.title
    let tracker = MLflowTracker(try MLflowSettings(), run: tracked)
    for event in try tracker.sendRecord() {
        switch event {
        case .warning(let text): log.warn(text)
        case .notice(let text): log.note(text)
        default: break
        }
    }
}

extension RunConfiguration.Reporting {
    /// The server that the run is sent to; `nil` if it is sent to none.
    func mlflowSettings() throws -> MLflowSettings? {
        let isNamed = ProcessInfo.processInfo.environment[MLflowSettings.addressVariable]?.isEmpty == false
        guard destinations.contains(.mlflow) || (destinations.contains(.all) && isNamed) else { return nil }
        return try MLflowSettings()
    }
}

extension RunLayout {
    func trackedRun(_ configuration: RunConfiguration?) -> TrackedRun {
        TrackedRun(
            name: configuration?.runName ?? base.lastPathComponent, parameters: configuration?.trackedSettings ?? [],
            events: events, state: progress.appending(path: Self.mlflowName))
    }
}
