package import Foundation

/// The layout of a run's folder.
package struct RunLayout: Sendable {
    /// The run's folder.
    package let base: URL

    package init(_ base: URL) { self.base = base }

    /// The complete configuration of the run.
    package var configuration: URL { base.appending(path: "run.yaml") }
    /// The trained adapter or model, and the checkpoints.
    package var model: URL { base.appending(path: "model") }
    /// Logs, unless the configuration names another folder.
    package var logs: URL { base.appending(path: "logs") }
    /// The folder of reports about the run.
    package var progress: URL { base.appending(path: "training_progress") }
    /// All events, with durations.
    package var events: URL { progress.appending(path: Self.eventsName) }
    /// The metrics of steps and evaluations, without durations.
    package var metrics: URL { progress.appending(path: Self.metricsName) }
    /// The HTML report.
    package var report: URL { progress.appending(path: Self.reportName) }

    package static let eventsName = "events.jsonl"
    package static let metricsName = "metrics.jsonl"
    package static let reportName = "report.html"
    /// The name of the summary of the training data.
    package static let dataSummaryName = "data_summary.json"
    /// The name of the file with the run's id on an MLflow server.
    package static let mlflowName = "mlflow.json"
    package static let summaryName = "training_summary.json"
    package static let trainingMetricsName = "training_metrics.json"
    package static let stableCheckpointsName = "stable_checkpoints_summary.json"
    /// The name of the state file in `Trainer`'s format in each checkpoint.
    package static let trainerStateName = "trainer_state.json"
    /// The file name of a chart.
    package static func chartName(_ id: String) -> String { "chart_\(id).svg" }

    /// The prefix of a checkpoint's name, followed by its step.
    package static let checkpointPrefix = "checkpoint-"
    /// The prefix of the name of a checkpoint that the monitor keeps.
    package static let stableCheckpointPrefix = "stable_checkpoint-"
    /// The prefix of checkpoints of either kind that are no longer part of the run.
    package static let abandonedPrefix = "abandoned_"

    /// The step in a checkpoint's name; `nil` if it is not the name of a checkpoint.
    package static func step(ofCheckpoint name: String, prefix: String = checkpointPrefix) -> Int? {
        name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }

    /// Whether a run gives checkpoints such a name, including abandoned ones.
    package static func isCheckpoint(_ name: String) -> Bool {
        name.wholeMatch(of: /(abandoned_)?(stable_)?checkpoint-[0-9]+(\.[0-9]+)?/) != nil
    }

    /// Whether a run writes a file of this name to ``progress``.
    package static func isRecord(_ name: String) -> Bool {
        let names = [
            eventsName, metricsName, reportName, summaryName, trainingMetricsName, stableCheckpointsName, mlflowName,
            dataSummaryName,
        ]
        return names.contains(name) || name.wholeMatch(of: /chart_.*\.svg/) != nil
    }
}
