package import MenoMetrics

/// Follows a run by its events and decides what is worth keeping and what is worth telling.
///
/// It does nothing itself: no files, no clock, no threads. The same events give the same decisions, also when the monitor
/// was written to a checkpoint and read back in between.
///
/// - Note: In `StepMetrics` a gradient norm or learning rate that is NaN, and in any event a duration of 0, count as not
///   measured: recorded runs lack some of them.
package struct Monitor: Sendable, Hashable, Codable {
    package private(set) var configuration: MonitorConfiguration
    package private(set) var history = History()
    package private(set) var policy = StableCheckpointPolicy()
    /// Scores of the probe answers, step by step.
    package private(set) var probes = ProbeHistory()
    /// Time, tokens and memory.
    package private(set) var totals = RunTotals()
    /// Every alert so far, in the order they began; those that last have no end.
    package private(set) var alerts: [Alert] = []
    /// The judgement of the last evaluation.
    package private(set) var lastVerdict: StableCheckpointVerdict?

    private var board = AlertBoard()
    private var totalSteps = 0
    /// Of the labels that are trained on, in nats, where the run tells it.
    private var labelEntropy: Double?

    /// Steps beyond these are not a training's; nothing that is computed from these can overflow.
    private static let steps = 0...(1 << 52)

    /// - Throws: ``MonitorError`` that names the configuration key that no run can be judged by.
    package init(configuration: MonitorConfiguration = MonitorConfiguration()) throws {
        try configuration.validate()
        self.configuration = configuration
    }

    /// Goes on with other thresholds; what was seen and decided stays.
    /// - Throws: ``MonitorError`` that names the configuration key that no run can be judged by.
    package mutating func reconfigure(_ configuration: MonitorConfiguration) throws {
        try configuration.validate()
        self.configuration = configuration
    }

    /// Takes in an event of the run, in order.
    package mutating func observe(_ event: RunEvent) -> [MonitorDecision] {
        guard isInRange(event) else { return [] }
        totals.add(event)
        switch event {
        case .started(let description):
            totalSteps = Self.steps.contains(description.totalSteps) ? description.totalSteps : 0
            labelEntropy = description.labelEntropy.flatMap { $0.isMeasured && $0 > 0 ? $0 : nil }
            // The run knows what its log's interval comes to, also where that is an epoch.
            if let steps = description.loggingSteps, steps > 0 {
                configuration.loggingSteps = min(steps, Self.steps.upperBound)
            }
            if description.resumedAtStep > 0 { board.startProcess() }
            return []
        case .step(let metrics):
            history.add(metrics, loggingSteps: configuration.loggingSteps)
            return record(
                board.observe(
                    metrics, totalSteps: totalSteps, labelEntropy: labelEntropy, configuration: configuration))
        case .evaluated(let metrics):
            return evaluated(metrics)
        case .resources(let usage):
            history.add(usage)
            return record(board.observe(usage, totalSteps: totalSteps, thresholds: configuration.alerts))
        case .probed(let step, let answers):
            return record(
                probes.observe(answers, step: step, totalSteps: totalSteps, thresholds: configuration.probes))
        case .stepSkipped(let step, let reason, let records):
            return record(board.observeSkipped(step: step, reason: reason, records: records))
        case .checkpointSaved(let record): return saved(record)
        case .checkpointFailed(let kind, let step, let reason):
            return kind == .stable ? failed(step: step, reason: reason) : []
        case .checkpointRemoved(let record):
            if record.kind == .stable { policy.forget(path: record.path) }
            return []
        case .finished:
            history.closeInterval()
            return []
        case .notice, .warning, .alertBegan, .alertEnded: return []
        }
    }

    /// Forgets stable checkpoints that are not on disk, for a run that goes on after a break.
    package mutating func keepStableCheckpoints(at paths: Set<String>) { policy.keepOnly(paths: paths) }

    private func isInRange(_ event: RunEvent) -> Bool {
        switch event {
        case .step(let metrics): Self.steps.contains(metrics.step)
        case .evaluated(let metrics): Self.steps.contains(metrics.step)
        case .resources(let usage): Self.steps.contains(usage.step)
        case .probed(let step, _), .stepSkipped(let step, _, _): Self.steps.contains(step)
        case .checkpointSaved, .checkpointRemoved, .checkpointFailed: true
        case .started, .alertBegan, .alertEnded, .notice, .warning, .finished: true
        }
    }

    private mutating func evaluated(_ metrics: EvaluationMetrics) -> [MonitorDecision] {
        history.add(metrics)
        var decisions = record(board.observe(metrics, totalSteps: totalSteps, configuration: configuration))
        guard metrics.loss.isMeasured else { return decisions }
        let verdict = policy.judge(
            step: metrics.step, evaluationLoss: metrics.loss, history: history, configuration: configuration)
        lastVerdict = verdict
        decisions.append(verdict.outcome.saves ? .saveStableCheckpoint(verdict) : .declinedStableCheckpoint(verdict))
        return decisions
    }

    private mutating func saved(_ record: CheckpointRecord) -> [MonitorDecision] {
        guard record.kind == .stable else { return [] }
        return policy.saved(step: record.step, path: record.path, configuration: configuration)
            .map { .removeStableCheckpoint(step: $0.step, path: $0.path) }
    }

    private mutating func failed(step: Int, reason: String) -> [MonitorDecision] {
        guard policy.failed(step: step, configuration: configuration) else { return [] }
        return [
            .note(
                "\(configuration.maxConsecutiveErrors) stable checkpoints in a row could not be saved (the last one: "
                    + "\(reason)). No more will be tried; training continues.")
        ]
    }

    private mutating func record(_ changes: [AlertChange]) -> [MonitorDecision] {
        changes.map { change in
            switch change {
            case .began(let alert):
                alerts.append(alert)
                return .alertBegan(alert)
            case .ended(let alert):
                if let index = alerts.lastIndex(where: { $0.isSameEpisode(as: alert) }) { alerts[index] = alert }
                return .alertEnded(alert)
            }
        }
    }
}

extension Alert {
    fileprivate func isSameEpisode(as other: Alert) -> Bool {
        kind == other.kind && startStep == other.startStep && detectedStep == other.detectedStep
            && values["accelerator"] == other.values["accelerator"]
    }
}
