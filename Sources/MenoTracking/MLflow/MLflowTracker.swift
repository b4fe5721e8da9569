package import Foundation
package import MenoMetrics
internal import MenoMonitor

/// Sends a run to an MLflow server: parameters, metrics, tags and how it ended. The training never waits for the server; only the
/// end of the run does, for a while.
///
/// It is a policy as well, which decides nothing: that is how it reports trouble with the server.
package final class MLflowTracker: RunObserver, RunPolicy {
    private let settings: MLflowSettings
    private let run: TrackedRun
    private let now: () -> Date
    private var series = TrackedSeries()
    private var delivery: MLflowDelivery?

    package init(_ settings: MLflowSettings, run: TrackedRun, now: @escaping () -> Date = { Date() }) {
        self.settings = settings
        self.run = run
        self.now = now
    }

    deinit { delivery?.cancel() }

    package func observe(_ event: RunEvent) throws {
        switch event {
        case .started(let description):
            let isResumed = description.resumedAtStep > 0
            begin(description, isResumed: isResumed)
            // What the server lacks of the steps before is sent too, and a line of the log has all of its steps.
            if isResumed, let replay = try? Replay(Data(contentsOf: run.events)) { add(replay.events) }
            add([event])
        case .finished(let outcome): delivery?.finish(MLflow.Status(outcome.reason))
        default: add([event])
        }
    }

    package func decisions(after event: RunEvent) -> [RunDecision] {
        (delivery?.takeMessages() ?? []).map { .announce($0) }
    }

    /// Sends what a server does not have of a run that is over.
    /// - Returns: what there is to say about it.
    /// - Throws: `MonitorError` where the record cannot be read.
    package func sendRecord() throws -> [RunEvent] {
        let events = try Replay(Data(contentsOf: run.events)).events
        var (description, outcome): (RunDescription?, RunOutcome?)
        for case .started(let started) in events { description = description ?? started }
        for case .finished(let finished) in events { outcome = finished }
        begin(description, isResumed: true)
        add(events)
        delivery?.finish(outcome.map { MLflow.Status($0.reason) } ?? .killed)
        return delivery?.takeMessages() ?? []
    }

    private func begin(_ description: RunDescription?, isResumed: Bool) {
        var run = run
        var tags = ["mlflow.source.name": "meno", "mlflow.source.type": "LOCAL"]
        tags["mlflow.user"] = ProcessInfo.processInfo.environment["USER"]
        if let description {
            tags["model"] = description.model
            tags["architecture"] = description.architecture
            run.parameters += [
                ("device", description.device), ("dtype", description.dtype),
                ("train_samples", "\(description.trainSamples)"), ("eval_samples", "\(description.evaluationSamples)"),
                ("total_steps", "\(description.totalSteps)"),
                ("trained_parameters", "\(description.trainedParameters)"),
                ("total_parameters", "\(description.totalParameters)"),
            ]
        }
        delivery = MLflowDelivery(settings, run: run, tags: tags.filter { !$0.value.isEmpty }, isResumed: isResumed)
    }

    private func add(_ events: [RunEvent]) {
        delivery?.add(events.flatMap { series.points(of: $0, time: now()) })
    }
}

extension MLflow.Status {
    fileprivate init(_ reason: RunOutcome.Reason) {
        self =
            switch reason {
            case .completed, .stoppedEarly: .finished
            case .interrupted: .killed
            case .failed: .failed
            }
    }
}
