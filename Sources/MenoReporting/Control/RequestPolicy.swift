package import Foundation
package import MenoMetrics

/// Does what other processes ask of a run while it trains: see ``RunControl``.
package final class RequestPolicy: RunPolicy {
    private let control: RunControl
    private let session = UUID().uuidString
    /// Why there are no requests.
    private var fault: String?

    /// Makes the run open to requests. Only who holds the run's folder may do so.
    /// - Parameter run: the run's folder. Where it cannot be written to, there are no requests.
    package init(_ run: URL) {
        control = RunControl(run)
        do {
            try control.begin(session: session)
        } catch {
            fault = "the dashboard cannot control this run: \(error)"
        }
    }

    deinit { control.end() }

    package func decisions(after event: RunEvent) -> [RunDecision] {
        switch event {
        case .started:
            defer { fault = nil }
            return fault.map { [.announce(.warning($0))] } ?? []
        case .step, .evaluated: break
        default: return []
        }
        switch control.take(session: session) {
        case .stop:
            return [
                .announce(.notice("stop requested from the dashboard: the run ends after this step")),
                .stop(reason: "Stopped from the dashboard."),
            ]
        case .checkpoint: return [.announce(.notice("checkpoint requested from the dashboard")), .saveCheckpoint]
        case nil: return []
        }
    }
}
