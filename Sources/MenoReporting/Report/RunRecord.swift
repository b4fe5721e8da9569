package import Foundation
package import MenoMetrics
package import MenoMonitor

/// What there is to say about a run, read from what it recorded: of one that ended, is running or broke off, ours or `Trainer`'s.
package struct RunRecord: Sendable {
    package private(set) var description: RunDescription?
    package private(set) var steps: [StepMetrics] = []
    package private(set) var evaluations: [EvaluationMetrics] = []
    package private(set) var resources: [ResourceUsage] = []
    /// Those that are still there.
    package private(set) var checkpoints: [CheckpointRecord] = []
    package private(set) var probes: [(step: Int, answers: [ProbeAnswer])] = []
    package private(set) var skipped: [(step: Int, reason: String, records: [String])] = []
    package private(set) var failures: [(step: Int, reason: String)] = []
    package private(set) var outcome: RunOutcome?
    /// Whether the process that trains is there; `nil` where that is not known.
    package var isRunning: Bool?
    /// As the run told them; of a run without a monitor, what ours says of it.
    package private(set) var alerts: [Alert] = []
    /// After the last event.
    package let monitor: Monitor
    /// The name of the file that the run was read from.
    package let source: String
    /// `run.yaml`, where there is one.
    package let configuration: String?
    /// What was trained on, where the run wrote it down.
    package let data: RunDataSummary?

    package var summary: RunSummary { RunSummary(monitor) }

    /// Reads the run of a folder: its `events.jsonl`, else its `metrics.jsonl`, else a `trainer_state.json` in it or in the
    /// newest of its checkpoints.
    /// - Parameters:
    ///   - folder: of a run; or one of those files.
    ///   - thresholds: that the monitor judges by.
    /// - Throws: ``ReportError`` where nothing was recorded, ``MonitorError`` with the place in the file.
    package init(_ folder: URL, thresholds: MonitorConfiguration = MonitorConfiguration()) throws {
        let (replay, file) = try Self.replay(of: folder)
        let yaml = RunLayout(folder).configuration
        try self.init(
            replay, source: file.lastPathComponent, thresholds: thresholds,
            configuration: try? String(contentsOf: yaml, encoding: .utf8), data: Self.dataSummary(of: folder))
    }

    private static func dataSummary(of folder: URL) -> RunDataSummary? {
        let file = RunLayout(folder).progress.appending(path: RunLayout.dataSummaryName)
        return (try? Data(contentsOf: file)).flatMap {
            try? JSONDecoder.reproducible(snakeCase: true).decode(RunDataSummary.self, from: $0)
        }
    }

    private init(
        _ replay: Replay, source: String, thresholds: MonitorConfiguration, configuration: String?,
        data: RunDataSummary?
    ) throws {
        let judgement = try replay.judged(by: thresholds)
        self.source = source
        self.configuration = configuration
        self.data = data
        monitor = judgement.monitor
        var told: [Alert] = []
        for event in replay.events {
            switch event {
            case .alertBegan(let alert): told.append(alert)
            case .alertEnded(let alert):
                guard
                    let index = told.lastIndex(where: {
                        $0.kind == alert.kind && $0.detectedStep == alert.detectedStep
                    })
                else { continue }
                told[index] = alert
            default: add(event)
            }
        }
        alerts = told.isEmpty ? judgement.alerts : told
    }

    private mutating func add(_ event: RunEvent) {
        switch event {
        case .started(let description): self.description = description.merging(self.description)
        case .step(let metrics): steps.append(metrics)
        case .evaluated(let metrics): evaluations.append(metrics)
        case .resources(let usage): resources.append(usage)
        case .checkpointSaved(let record):
            checkpoints.removeAll { $0.path == record.path }
            checkpoints.append(record)
        case .checkpointRemoved(let record): checkpoints.removeAll { $0.path == record.path }
        case .checkpointFailed(_, let step, let reason): failures.append((step, reason))
        case .probed(let step, let answers): probes.append((step, answers))
        case .stepSkipped(let step, let reason, let records): skipped.append((step, reason, records))
        case .finished(let outcome): self.outcome = outcome
        case .alertBegan, .alertEnded, .notice, .warning: break
        }
    }

    /// What a folder's recording tells, and the file that it is.
    /// - Throws: ``ReportError`` where nothing was recorded, ``MonitorError`` with the file and the place in it.
    package static func replay(of folder: URL) throws -> (replay: Replay, file: URL) {
        guard let file = recording(in: folder) else {
            throw ReportError(
                .unreadable, at: folder.path, "there is no record of a run here.",
                advice:
                    "Expected training_progress/events.jsonl, training_progress/metrics.jsonl or a trainer_state.json "
                    + "(of Trainer, also in checkpoint-N).")
        }
        let data: Data
        do {
            data = try Data(contentsOf: file)
        } catch {
            throw ReportError(.unreadable, at: file.path, "cannot be read (\(error.localizedDescription)).")
        }
        do {
            return (try Replay(data), file)
        } catch let error as MonitorError {
            throw MonitorError(
                error.code, at: [file.path, error.place].compactMap { $0 }.joined(separator: ", "), error.message,
                advice: error.advice)
        }
    }

    /// The file that records the run.
    package static func recording(in folder: URL) -> URL? {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) else { return nil }
        guard isFolder.boolValue else { return folder }
        let layout = RunLayout(folder)
        let recordings = [layout.events, layout.metrics, folder.appending(path: RunLayout.trainerStateName)]
        let checkpoints = [folder, layout.model].flatMap { parent -> [(step: Int, file: URL)] in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.path)) ?? []
            return names.compactMap { name in
                let file = parent.appending(path: name).appending(path: RunLayout.trainerStateName)
                return RunLayout.step(ofCheckpoint: name).map { ($0, file) }
            }
        }.sorted { $0.step > $1.step }
        return (recordings + checkpoints.map(\.file)).first {
            ((try? FileManager.default.attributesOfItem(atPath: $0.path)[.size] as? Int) ?? 0) > 0
        }
    }
}

extension RunDescription {
    /// A resumed run's description; what only the first one knows is kept.
    fileprivate func merging(_ earlier: RunDescription?) -> RunDescription {
        model.isEmpty ? earlier ?? self : self
    }
}
