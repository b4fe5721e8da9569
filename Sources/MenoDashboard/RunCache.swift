internal import Foundation
internal import MenoMonitor
internal import MenoReporting

/// Reads a run once for all who look at it, again only when it has changed.
actor RunCache {
    private let catalogue: RunCatalogue
    private let thresholds: @Sendable (URL) -> MonitorConfiguration
    private var records: [String: (stamp: String, result: Result<RunRecord, any Error>)] = [:]

    init(_ catalogue: RunCatalogue, thresholds: @escaping @Sendable (URL) -> MonitorConfiguration) {
        self.catalogue = catalogue
        self.thresholds = thresholds
    }

    func record(_ run: URL) throws -> RunRecord {
        let stamp = catalogue.stamp(of: run)
        if let known = records[run.path], known.stamp == stamp { return try known.result.get() }
        let result = Result { try RunRecord(run, thresholds: thresholds(run)) }
        records[run.path] = (stamp, result)
        return try result.get()
    }
}
