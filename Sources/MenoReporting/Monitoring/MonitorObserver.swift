package import Foundation
package import MenoMetrics
package import MenoMonitor

/// Lets a monitor follow a run, and keeps its summary files up to date. What the monitor decides is for ``policy``, which is given
/// to the run beside this observer.
package final class MonitorObserver: ResumableObserver {
    package let stateName = "monitor"
    package let policy: MonitorPolicy
    package private(set) var monitor: Monitor
    private let configuration: MonitorConfiguration
    private let files: SummaryFiles?
    private let stableCheckpoints: () -> Set<String>

    /// - Parameters:
    ///   - files: written after every evaluation; `nil`: none are.
    ///   - stableCheckpoints: those on the disk, relative to the run's folder; asked when a run is resumed.
    /// - Throws: ``MonitorError`` that names the configuration key that no run can be judged by.
    package init(
        _ configuration: MonitorConfiguration, action: MonitorPolicy.AlertAction = .log, files: SummaryFiles? = nil,
        stableCheckpoints: @escaping () -> Set<String> = { [] }
    ) throws {
        monitor = try Monitor(configuration: configuration)
        policy = MonitorPolicy(action: action)
        self.configuration = configuration
        self.files = files
        self.stableCheckpoints = stableCheckpoints
    }

    package func observe(_ event: RunEvent) throws {
        try policy.take(monitor.observe(event), of: monitor, after: event)
        switch event {
        case .evaluated, .finished: try files?.write(monitor)
        // The history, which grows with the run, has nothing of them.
        case .probed, .checkpointSaved, .checkpointRemoved: try files?.writeSummaries(monitor)
        default: break
        }
    }

    // MARK: Resuming

    package func state() throws -> Data {
        try JSONEncoder.reproducible().encode(monitor)
    }

    package func restore(_ state: Data) throws {
        var monitor = try JSONDecoder.reproducible().decode(Monitor.self, from: state)
        try monitor.reconfigure(configuration)
        monitor.keepStableCheckpoints(at: stableCheckpoints())
        self.monitor = monitor
    }
}
