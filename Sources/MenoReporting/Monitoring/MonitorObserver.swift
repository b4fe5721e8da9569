public import Foundation
public import MenoMetrics
public import MenoMonitor

/// Lets a monitor follow a run, and carries out what it decides: stable checkpoints, alerts, the summary files.
public final class MonitorObserver: ResumableObserver, SteeringObserver {
    /// What is done when an alert begins, beside telling it.
    public enum AlertAction: Sendable {
        case log
        /// Ends the run; alerts that only inform do not.
        case stop
        case command(AlertCommand)
    }

    public let stateName = "monitor"
    public private(set) var monitor: Monitor
    private let configuration: MonitorConfiguration
    private let action: AlertAction
    private let files: SummaryFiles?
    private let stableCheckpoints: () -> Set<String>
    private var evaluation: EvaluationMetrics?
    private var lastRefusal: [StableCheckpointVerdict.Condition.Name]?
    private var requests: [RunRequest] = []

    /// - Parameters:
    ///   - files: written after every evaluation; `nil`: none are.
    ///   - stableCheckpoints: those on the disk, relative to the run's folder; asked when a run is resumed.
    /// - Throws: ``MonitorError`` that names the configuration key that no run can be judged by.
    public init(
        _ configuration: MonitorConfiguration, action: AlertAction = .log, files: SummaryFiles? = nil,
        stableCheckpoints: @escaping () -> Set<String> = { [] }
    ) throws {
        monitor = try Monitor(configuration: configuration)
        self.configuration = configuration
        self.action = action
        self.files = files
        self.stableCheckpoints = stableCheckpoints
    }

    public func observe(_ event: RunEvent) throws {
        if case .evaluated(let metrics) = event { evaluation = metrics }
        for decision in monitor.observe(event) { try carryOut(decision) }
        if case .finished = event { finish() }
        switch event {
        case .evaluated, .finished: try files?.write(monitor)
        // The history, which grows with the run, has nothing of them.
        case .probed, .checkpointSaved, .checkpointRemoved: try files?.writeSummaries(monitor)
        default: break
        }
    }

    public func takeRequests() -> [RunRequest] {
        defer { requests = [] }
        guard case .command(let command) = action else { return requests }
        return requests + command.takeFailures().map { .tell(.warning($0)) }
    }

    private func carryOut(_ decision: MonitorDecision) throws {
        switch decision {
        case .saveStableCheckpoint(let verdict):
            lastRefusal = nil
            requests.append(.tell(.notice(verdict.explanation)))
            guard let stability = verdict.stability, let evaluation else { return }
            let record = StabilityRecord(
                metrics: stability, evaluation: evaluation, timestamp: Date().formatted(.iso8601))
            requests.append(
                .saveStableCheckpoint(files: ["stability_metrics.json": try SummaryFiles.encoder.encode(record)]))
        case .declinedStableCheckpoint(let verdict): decline(verdict)
        case .removeStableCheckpoint(let step, _): requests.append(.removeStableCheckpoint(step: step))
        case .alertBegan(let alert): begin(alert)
        case .alertEnded(let alert): requests.append(.tell(.alertEnded(alert)))
        case .note(let text): requests.append(.tell(.notice(text)))
        }
    }

    private func finish() {
        requests.append(.tell(.notice("Total stable checkpoints saved: \(monitor.policy.checkpoints.count)")))
        if case .command(let command) = action { command.finish() }
    }

    /// Tells why there is no stable checkpoint, when the reason is another than at the evaluation before.
    private func decline(_ verdict: StableCheckpointVerdict) {
        let unmet = verdict.conditions.filter { !$0.isMet }.map(\.name)
        defer { lastRefusal = unmet }
        guard lastRefusal != unmet, verdict.outcome != .tooFewEvaluations else { return }
        requests.append(.tell(.notice(verdict.explanation)))
    }

    private func begin(_ alert: Alert) {
        requests.append(.tell(.alertBegan(alert)))
        switch action {
        case .log: break
        case .stop:
            guard alert.severity > .info else { return }
            requests.append(.stop(reason: "monitor.on_alert: stop. \(alert.message)"))
        case .command(let command): command.run(alert)
        }
    }

    // MARK: Resuming

    public func state() throws -> Data {
        try JSONEncoder.reproducible().encode(monitor)
    }

    public func restore(_ state: Data) throws {
        var monitor = try JSONDecoder.reproducible().decode(Monitor.self, from: state)
        try monitor.reconfigure(configuration)
        monitor.keepStableCheckpoints(at: stableCheckpoints())
        self.monitor = monitor
    }
}
