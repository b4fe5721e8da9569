internal import Foundation
internal import MenoMonitor
internal import MenoReporting

/// Reads a run once for all who look at it, again only when it has changed. A long run takes a while to read, on the machine
/// that trains it: a tenth of the time goes into that at most.
actor RunCache {
    private let catalog: RunCatalog
    private let running: @Sendable (URL) -> Bool?
    private let thresholds: @Sendable (URL) -> MonitorConfiguration
    private var records: [String: Entry] = [:]
    private let clock = ContinuousClock()

    private struct Entry {
        var stamp: String
        var result: Result<RunRecord, any Error>
        /// When it may be read again.
        var expiry: ContinuousClock.Instant
    }

    init(
        _ catalog: RunCatalog, isRunning: @escaping @Sendable (URL) -> Bool? = { _ in nil },
        thresholds: @escaping @Sendable (URL) -> MonitorConfiguration
    ) {
        self.catalog = catalog
        running = isRunning
        self.thresholds = thresholds
    }

    /// Whether a process trains in a run's folder; `nil` where that is not known.
    func isRunning(_ run: URL) -> Bool? { running(run) }

    /// Changes when there is something new that may be read.
    func stamp(of run: URL) -> String {
        let known = records[run.path].flatMap { clock.now < $0.expiry ? $0.stamp : nil }
        return "\(known ?? catalog.stamp(of: run)) \(isRunning(run).map { $0 ? "running" : "over" } ?? "")"
    }

    func record(_ run: URL) throws -> RunRecord {
        var record = try recorded(run)
        // Asked each time: a process that is killed writes nothing.
        record.isRunning = isRunning(run)
        return record
    }

    private func recorded(_ run: URL) throws -> RunRecord {
        let stamp = catalog.stamp(of: run)
        let start = clock.now
        if let known = records[run.path], known.stamp == stamp || start < known.expiry { return try known.result.get() }
        let result = Result { try RunRecord(run, thresholds: thresholds(run)) }
        let end = clock.now
        records[run.path] = Entry(stamp: stamp, result: result, expiry: end.advanced(by: start.duration(to: end) * 9))
        return try result.get()
    }
}
