package import Foundation

/// Where a run's files lie in its folder.
package struct RunLayout: Sendable {
    /// The run's folder.
    package let base: URL

    package init(_ base: URL) { self.base = base }

    /// Every key of the configuration as it was used.
    package var configuration: URL { base.appending(path: "run.yaml") }
    /// The trained adapter or model, and the checkpoints.
    package var model: URL { base.appending(path: "model") }
    /// Logs, unless the configuration names another folder.
    package var logs: URL { base.appending(path: "logs") }
    /// What is reported about the run.
    package var progress: URL { base.appending(path: "training_progress") }
    /// Every event, with what it took.
    package var events: URL { progress.appending(path: Self.eventsName) }
    /// What steps and evaluations computed, without times.
    package var metrics: URL { progress.appending(path: Self.metricsName) }
    /// The page.
    package var report: URL { progress.appending(path: Self.reportName) }

    package static let eventsName = "events.jsonl"
    package static let metricsName = "metrics.jsonl"
    package static let reportName = "report.html"
    /// What was trained on, in numbers.
    package static let dataSummaryName = "data_summary.json"
    /// The run's number on an MLflow server.
    package static let mlflowName = "mlflow.json"
    package static let summaryName = "training_summary.json"
    package static let trainingMetricsName = "training_metrics.json"
    package static let stableCheckpointsName = "stable_checkpoints_summary.json"
    /// The record of `Trainer` in each checkpoint, its own or ours.
    package static let trainerStateName = "trainer_state.json"
    /// The file of a chart.
    package static func chartName(_ id: String) -> String { "chart_\(id).svg" }

    /// Begins a checkpoint's name; its step follows.
    package static let checkpointPrefix = "checkpoint-"
    /// Begins the name of one that the monitor keeps.
    package static let stableCheckpointPrefix = "stable_checkpoint-"
    /// Begins the names of checkpoints of either kind that are no part of the run any more.
    package static let abandonedPrefix = "abandoned_"

    /// The step of a checkpoint by its name; `nil`: it is none's.
    package static func step(ofCheckpoint name: String, prefix: String = checkpointPrefix) -> Int? {
        name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }

    /// Whether a run gives a checkpoint this name, one set aside included.
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
