import Foundation
import MenoMetrics
import MenoMonitor
import MenoTesting
import Testing

@testable import MenoReporting

/// What a monitor decides, carried out.
@Suite struct MonitorObserverTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let thresholds = {
        var thresholds = MonitorConfiguration()
        thresholds.windowSize = 2
        thresholds.minStepsBetweenCheckpoints = 10
        thresholds.perplexityThreshold = 10
        thresholds.maxStableCheckpoints = 1
        thresholds.loggingSteps = 5
        return thresholds
    }()

    private func observer(_ action: MonitorPolicy.AlertAction = .log, onDisk: Set<String> = []) throws
        -> MonitorObserver
    {
        try MonitorObserver(
            Self.thresholds, action: action, files: SummaryFiles(folder.url), stableCheckpoints: { onDisk })
    }

    private func step(_ step: Int, loss: Double = 1) -> RunEvent {
        .step(
            StepMetrics(
                step: step, epoch: 0, loss: loss, gradientNorm: 0.5, learningRate: 1e-4, tokens: 10, labels: 9,
                seconds: 1))
    }

    private func evaluated(_ step: Int, loss: Double) -> RunEvent {
        .evaluated(
            EvaluationMetrics(
                step: step, epoch: 0.5, loss: loss, tokenAccuracy: 0.5, completionLoss: nil, tokens: 100, samples: 10,
                seconds: 1))
    }

    private func saved(_ step: Int) -> RunEvent {
        .checkpointSaved(
            CheckpointRecord(step: step, kind: .stable, path: "model/stable_checkpoint-\(step)", seconds: 0.1))
    }

    /// What is decided after an event.
    private func decisions(_ observer: MonitorObserver, after event: RunEvent) throws -> [RunDecision] {
        try observer.observe(event)
        return observer.policy.decisions(after: event)
    }

    /// Follows a run of steps with an evaluation in every ten.
    private func follow(_ observer: MonitorObserver, losses: [Double]) throws -> [RunDecision] {
        var all: [RunDecision] = []
        for (index, loss) in losses.enumerated() {
            for step in index * 10 + 1...index * 10 + 10 {
                all += try decisions(observer, after: self.step(step))
            }
            let new = try decisions(observer, after: evaluated(index * 10 + 10, loss: loss))
            all += new
            guard new.contains(where: { if case .saveStableCheckpoint = $0 { true } else { false } }) else { continue }
            all += try decisions(observer, after: saved(index * 10 + 10))
        }
        return all
    }

    private func json(_ name: String) throws -> [String: Any] {
        let data = try Data(contentsOf: folder.url.appending(path: name))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test func stableCheckpointsAreAskedForAndTheWorstOneGoes() throws {
        let all = try follow(observer(), losses: [1.0, 0.99, 0.97])
        let files = all.compactMap { if case .saveStableCheckpoint(let files) = $0 { files } else { nil } }
        #expect(files.count == 2)
        #expect(all.contains(.removeStableCheckpoint(step: 20)))
        let content = try #require(files.last?["stability_metrics.json"])
        let record = try #require(try JSONSerialization.jsonObject(with: content) as? [String: Any])
        #expect(Set(record.keys) == ["step", "metrics", "eval_metrics", "timestamp"])
        #expect(record["step"] as? Int == 30)
        #expect((record["eval_metrics"] as? [String: Double])?["eval_loss"] == 0.97)
    }

    /// As many as are there, those of earlier processes included.
    @Test func theEndTellsHowManyStableCheckpointsThereAre() throws {
        let resumed = try observer(onDisk: ["model/stable_checkpoint-20"])
        let first = try observer()
        _ = try follow(first, losses: [1.0, 0.99])
        try resumed.restore(first.state())
        let outcome = RunOutcome(reason: .completed, step: 20, seconds: 1)
        let last = try decisions(resumed, after: .finished(outcome))
        #expect(last.contains(.announce(.notice("Total stable checkpoints saved: 1"))))
    }

    @Test func theSummaryFilesTellTheRunAtEveryEvaluationAndAtItsEnd() throws {
        let observer = try observer()
        _ = try follow(observer, losses: [1.0, 0.99])
        let history = try json("training_metrics.json")
        #expect(history["eval_loss"] as? [Double] == [1.0, 0.99])
        #expect((history["train_loss"] as? [Double])?.count == 4)
        #expect(try json("stable_checkpoints_summary.json")["total_checkpoints"] as? Int == 1)
        #expect(try json("training_summary.json")["status"] == nil)
        try observer.observe(.finished(RunOutcome(reason: .completed, step: 20, seconds: 30)))
        let summary = try json("training_summary.json")
        #expect(summary["status"] as? String == "completed" && summary["final_eval_loss"] as? Double == 0.99)
    }

    @Test func aReasonAgainstAStableCheckpointIsToldOnce() throws {
        let notices = try follow(observer(), losses: [3, 3.01, 3.02, 3.03]).compactMap {
            if case .announce(.notice(let text)) = $0 { text } else { nil }
        }
        #expect(notices.count == 1 && notices[0].contains("mean perplexity"))
    }

    @Test func anAlertIsToldAndMayEndTheRun() throws {
        for stops in [false, true] {
            let observer = try observer(stops ? .stop : .log)
            let all = try (1...3).flatMap {
                try decisions(observer, after: .stepSkipped(step: $0, reason: "NaN", records: ["line 1"]))
            }
            let told = all.compactMap { if case .announce(.alertBegan(let alert)) = $0 { alert } else { nil } }
            #expect(told.map(\.kind) == [.notFinite])
            let isStopped = all.contains { if case .stop = $0 { true } else { false } }
            #expect(isStopped == stops)
        }
    }

    @Test func aCommandGetsTheAlertAndItsFailureIsTold() throws {
        let alert = Alert(
            kind: .lossSpike, severity: .warning, startStep: 3, detectedStep: 4, message: "跳ねた", advice: "—")
        let copy = folder.url.appending(path: "alert.json")
        let reading = AlertCommand("cat > \"$MENO_RUN_DIR/alert.json\"", runFolder: folder.url)
        let observer = try observer(.command(reading))
        for number in 1...3 { try observer.observe(.stepSkipped(step: number, reason: "NaN", records: [])) }
        let written = try #require(wait { (try? Data(contentsOf: copy)).flatMap { $0.isEmpty ? nil : $0 } })
        #expect(try JSONDecoder().decode(Alert.self, from: written).kind == .notFinite)
        #expect(written.last == 0x0A && written.count { $0 == 0x0A } == 1)
        // One that does not read its input, and one that takes too long.
        for (command, limit) in [("exit 3", 60.0), ("sleep 60", 0.1)] {
            let failing = AlertCommand(command, runFolder: folder.url, timeLimit: limit)
            let observer = try MonitorObserver(Self.thresholds, action: .command(failing))
            for number in 1...3 { try observer.observe(.stepSkipped(step: number, reason: alert.message, records: [])) }
            let warning = wait {
                observer.policy.decisions(after: step(4)).first {
                    if case .announce(.warning) = $0 { true } else { false }
                }
            }
            #expect(warning != nil, "\(command)")
        }
    }

    @Test func commandsDoNotOutliveTheRun() throws {
        let started = folder.url.appending(path: "started")
        let slow = AlertCommand("trap '' TERM; echo $$ > '\(started.path)'; sleep 60", runFolder: folder.url)
        slow.run(
            Alert(kind: .notFinite, severity: .critical, startStep: 1, detectedStep: 1, message: "m", advice: "a"))
        let process = try #require(
            wait { (try? String(contentsOf: started, encoding: .utf8)).flatMap { Int32($0.dropLast()) } })
        slow.finish(grace: 0.1)
        #expect(wait { kill(process, 0) == 0 ? nil : true } == true)
    }

    /// Looks again and again for what another process does.
    private func wait<Result>(_ look: () throws -> Result?) rethrows -> Result? {
        let end = Date().addingTimeInterval(20)
        while Date() < end {
            if let result = try look() { return result }
            Thread.sleep(forTimeInterval: 0.02)
        }
        return nil
    }

    @Test func aResumedMonitorGoesOnWithWhatIsOnTheDisk() throws {
        let first = try observer()
        _ = try follow(first, losses: [1.0, 0.99])
        let state = try first.state()
        let kept = try observer(onDisk: ["model/stable_checkpoint-20"])
        try kept.restore(state)
        #expect(kept.monitor.policy.checkpoints.map(\.step) == [20])
        #expect(kept.monitor.history == first.monitor.history)
        let lost = try observer()
        try lost.restore(state)
        #expect(lost.monitor.policy.checkpoints.isEmpty)
    }
}
