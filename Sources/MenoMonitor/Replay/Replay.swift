package import Foundation
package import MenoMetrics

/// A recorded run, to be judged over again: by other thresholds, or for the first time where another program made it.
package struct Replay: Sendable {
    package enum Source: String, Sendable, Hashable, Codable {
        /// The `events.jsonl` or `metrics.jsonl` of a run of Meno. The latter has no times, so nothing can be said about them.
        case log
        /// The `trainer_state.json` of Hugging Face's `Trainer`, or of a checkpoint of Meno.
        case trainerState
    }

    package let source: Source
    /// In order, for ``Monitor/observe(_:)``. What a killed run did after the checkpoint that it went on from is not among
    /// them.
    package let events: [RunEvent]
    /// Lines of a log, from 1, that are no events and were passed over: what a killed run had half written.
    package let unreadableLines: [Int]

    /// - Parameter data: an `events.jsonl`, `metrics.jsonl` or `trainer_state.json`; which of them is told by its first
    ///   line.
    /// - Throws: ``MonitorError`` with the place in the file.
    package init(_ data: Data) throws {
        guard EventLog.begins(data) else {
            source = .trainerState
            events = try TrainerLog.events(from: data)
            unreadableLines = []
            return
        }
        source = .log
        let log = try EventLog.events(from: data)
        events = Self.described(Self.withoutAbandoned(log.events))
        unreadableLines = log.unreadableLines
    }

    /// What the monitor says of the run.
    ///
    /// A stable checkpoint that it wants counts as saved, unless the run recorded that saving one failed at that step.
    /// - Note: Each entry of a `trainer_state.json` counts as one optimizer step and one point of the series, whatever its
    ///   `logging_steps`: `monitor.logging_steps` has no meaning there.
    /// - Throws: ``MonitorError`` that names the configuration key that no run can be judged by.
    package func judged(by configuration: MonitorConfiguration = MonitorConfiguration()) throws -> Judgement {
        var configuration = configuration
        if source == .trainerState { configuration.loggingSteps = 1 }
        var judgement = Judgement(monitor: try Monitor(configuration: configuration))
        for event in events {
            switch event {
            // What another monitor kept and removed, by its own thresholds.
            case .checkpointSaved(let record) where record.kind == .stable: continue
            case .checkpointRemoved(let record) where record.kind == .stable: continue
            case .checkpointFailed: break
            default: judgement.savePending()
            }
            judgement.observe(event)
        }
        judgement.savePending()
        return judgement
    }

    /// A killed run is resumed from its last checkpoint, and what it did after that is done again. The line that says so may
    /// be lost, where it was written behind one cut short.
    private static func withoutAbandoned(_ events: [RunEvent]) -> [RunEvent] {
        var kept: [RunEvent] = []
        var lastStep = 0
        for event in events {
            switch event {
            case .started(let description):
                lastStep = description.resumedAtStep
                removeAbandoned(from: &kept) { $0 > lastStep }
            case .step(let metrics):
                if metrics.step <= lastStep { removeAbandoned(from: &kept) { $0 >= metrics.step } }
                lastStep = metrics.step
            default: break
            }
            kept.append(event)
        }
        return kept
    }

    /// Removes the events of abandoned steps, and the end of the process that made them. What comes after the first of them
    /// remains where it describes a step before, as a checkpoint is on the disk when the next step is done already, and
    /// where a checkpoint went: it does not come back.
    private static func removeAbandoned(from events: inout [RunEvent], where isAbandoned: (Int) -> Bool) {
        let first = events.firstIndex { $0.isEnd || $0.step.map(isAbandoned) ?? false } ?? events.endIndex
        let remaining = events[first...].filter { !$0.isEnd && !($0.step.map(isAbandoned) ?? !$0.isRemoval) }
        events.replaceSubrange(first..., with: remaining)
    }

    /// A `metrics.jsonl` does not tell the length of the run; what there is of it is taken for the whole.
    private static func described(_ events: [RunEvent]) -> [RunEvent] {
        guard case .started = events.first else {
            return [.started(.unknown(totalSteps: events.compactMap(\.step).max() ?? 0))] + events
        }
        return events
    }
}

extension Replay {
    /// The monitor's decisions over a recorded run.
    package struct Judgement: Sendable, Hashable, Codable {
        package struct Entry: Sendable, Hashable, Codable {
            /// The last step done when it was decided.
            package var step: Int
            package var decision: MonitorDecision
        }

        /// After the last event.
        package private(set) var monitor: Monitor
        /// In the order they were made.
        package private(set) var entries: [Entry] = []

        private var step = 0
        /// The step that a stable checkpoint is wanted of and was not saved of yet.
        private var pending: Int?

        fileprivate init(monitor: Monitor) { self.monitor = monitor }

        package var alerts: [Alert] { monitor.alerts }

        fileprivate mutating func observe(_ event: RunEvent) {
            step = max(step, event.step ?? 0)
            if case .checkpointFailed(.stable, let failed, _) = event, failed == pending { pending = nil }
            for decision in monitor.observe(event) {
                entries.append(Entry(step: step, decision: decision))
                if case .saveStableCheckpoint(let verdict) = decision { pending = verdict.step }
            }
        }

        fileprivate mutating func savePending() {
            guard let step = pending else { return }
            pending = nil
            observe(
                .checkpointSaved(
                    CheckpointRecord(step: step, kind: .stable, path: "stable_checkpoint-\(step)", seconds: 0)))
        }
    }
}

extension RunEvent {
    /// The last step done when it happened, where it says so.
    fileprivate var step: Int? {
        switch self {
        case .started(let description): description.resumedAtStep
        case .step(let metrics): metrics.step
        case .evaluated(let metrics): metrics.step
        case .resources(let usage): usage.step
        case .checkpointSaved(let record): record.step
        case .checkpointFailed(_, let step, _), .probed(let step, _), .stepSkipped(let step, _, _): step
        case .alertBegan(let alert): alert.detectedStep
        case .alertEnded(let alert): alert.endStep
        case .finished(let outcome): outcome.step
        case .checkpointRemoved, .notice, .warning: nil
        }
    }

    fileprivate var isEnd: Bool { if case .finished = self { true } else { false } }
    fileprivate var isRemoval: Bool { if case .checkpointRemoved = self { true } else { false } }
}
