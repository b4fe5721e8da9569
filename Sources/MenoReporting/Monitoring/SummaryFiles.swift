package import Foundation
internal import MenoFormats
internal import MenoMetrics
internal import MenoMonitor

/// The files that tell what a monitor knows: `training_metrics.json`, `stable_checkpoints_summary.json` and
/// `training_summary.json`. Each is replaced as a whole, so that it can be read at any time.
package struct SummaryFiles: Sendable {
    private let folder: URL

    package init(_ folder: URL) { self.folder = folder }

    func write(_ monitor: Monitor) throws {
        try write(TrainingMetricsRecord(monitor.history), to: RunLayout.trainingMetricsName)
        try writeSummaries(monitor)
    }

    /// All but `training_metrics.json`.
    func writeSummaries(_ monitor: Monitor) throws {
        try write(StableCheckpointsSummary(monitor.policy.checkpoints), to: RunLayout.stableCheckpointsName)
        try write(RunSummary(monitor), to: RunLayout.summaryName)
    }

    private func write(_ record: some Encodable, to name: String) throws {
        // A resumed run writes them again.
        try WholeFile.write(Self.encoder.encode(record), to: folder.appending(path: name), durability: .contents)
    }

    static var encoder: JSONEncoder { .reproducible(isPretty: true) }
}
