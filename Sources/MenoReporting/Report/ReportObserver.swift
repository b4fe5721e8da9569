public import Foundation
public import MenoMetrics
public import MenoMonitor

/// Writes the report when a run ends, from what the observers before it have recorded.
public final class ReportObserver: RunObserver {
    private let folder: URL
    private let title: String
    private let thresholds: MonitorConfiguration
    private let language: ReportLanguage

    /// - Parameter folder: the run's.
    public init(_ folder: URL, title: String, thresholds: MonitorConfiguration, language: ReportLanguage) {
        self.folder = folder
        self.title = title
        self.thresholds = thresholds
        self.language = language
    }

    public func observe(_ event: RunEvent) throws {
        guard case .finished = event else { return }
        let run = try RunRecord(folder, thresholds: thresholds)
        try Report(run, title: title, language: language).write(to: folder.appending(path: "training_progress"))
    }
}
