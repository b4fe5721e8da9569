internal import Foundation
package import MenoMetrics
internal import MenoMonitor

/// Puts what a monitor decides into effect: stable checkpoints, alerts, the end of the run.
package final class MonitorPolicy: RunPolicy {
    /// What is done when an alert begins, besides announcing it.
    package enum AlertAction: Sendable {
        case log
        /// Stops the run; alerts that only inform do not.
        case stop
        case command(AlertCommand)
    }

    private let action: AlertAction
    private var evaluation: EvaluationMetrics?
    private var lastRefusal: [StableCheckpointVerdict.Condition.Name]?
    private var decisions: [RunDecision] = []

    init(action: AlertAction) { self.action = action }

    /// What the monitor has decided so far. Failures of the alert command are warnings.
    package func decisions(after event: RunEvent) -> [RunDecision] {
        defer { decisions = [] }
        guard case .command(let command) = action else { return decisions }
        return decisions + command.takeFailures().map { .announce(.warning($0)) }
    }

    /// Takes what the monitor decides after an event.
    func take(_ decided: [MonitorDecision], of monitor: Monitor, after event: RunEvent) throws {
        if case .evaluated(let metrics) = event { evaluation = metrics }
        for decision in decided { try take(decision) }
        if case .finished = event { finish(monitor) }
    }

    private func take(_ decision: MonitorDecision) throws {
        switch decision {
        case .saveStableCheckpoint(let verdict):
            lastRefusal = nil
            announce(.notice(verdict.explanation))
            guard let stability = verdict.stability, let evaluation else { return }
            let record = StabilityRecord(
                metrics: stability, evaluation: evaluation, timestamp: Date().formatted(.iso8601))
            decisions.append(
                .saveStableCheckpoint(files: ["stability_metrics.json": try SummaryFiles.encoder.encode(record)]))
        case .declinedStableCheckpoint(let verdict): decline(verdict)
        case .removeStableCheckpoint(let step, _): decisions.append(.removeStableCheckpoint(step: step))
        case .alertBegan(let alert): begin(alert)
        case .alertEnded(let alert): announce(.alertEnded(alert))
        case .note(let text): announce(.notice(text))
        }
    }

    private func announce(_ event: RunEvent) { decisions.append(.announce(event)) }

    private func finish(_ monitor: Monitor) {
        announce(.notice("Total stable checkpoints saved: \(monitor.policy.checkpoints.count)"))
        if case .command(let command) = action { command.finish() }
    }

    /// Says why there is no stable checkpoint, when the reason is another than at the evaluation before.
    private func decline(_ verdict: StableCheckpointVerdict) {
        let unmet = verdict.conditions.filter { !$0.isMet }.map(\.name)
        defer { lastRefusal = unmet }
        guard lastRefusal != unmet, verdict.outcome != .tooFewEvaluations else { return }
        announce(.notice(verdict.explanation))
    }

    private func begin(_ alert: Alert) {
        announce(.alertBegan(alert))
        switch action {
        case .log: break
        case .stop:
            guard alert.severity > .info else { return }
            decisions.append(.stop(reason: "Stopped by an alert. \(alert.message)"))
        case .command(let command): command.run(alert)
        }
    }
}
