import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoMonitor

struct ReplayTests {
    private func trainerState() throws -> Data { try Data(contentsOf: Fixtures.url("monitor/trainer_state.json")) }

    private func log(_ events: [RunEvent]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return Data(
            try ([.started(SyntheticRun().description)] + events).map { try encoder.encode($0) }.joined(
                separator: Data("\n".utf8)))
    }

    private func refusal(_ text: String) -> MonitorError? {
        do {
            _ = try Replay(Data(text.utf8))
            return nil
        } catch { return error as? MonitorError }
    }

    // MARK: Hugging Face

    private struct Expected: Decodable {
        var step: Int
        var stability: [String: Double]?
        var balance: [String: Double]?
    }

    /// A run of `Trainer`, evaluation by evaluation, against the Python formulas over the same file.
    @Test func aRunOfTrainerIsJudgedAsTheReferenceDoes() throws {
        let expected = try JSONDecoder().decode(
            [Expected].self, from: Data(contentsOf: Fixtures.url("monitor/replay.json")))
        let replay = try Replay(trainerState())
        #expect(replay.source == .trainerState && replay.unreadableLines.isEmpty)
        let judgement = try replay.judged()
        let verdicts = judgement.entries.compactMap { entry in
            switch entry.decision {
            case .saveStableCheckpoint(let verdict), .declinedStableCheckpoint(let verdict): verdict
            default: nil
            }
        }
        #expect(verdicts.map(\.step) == expected.map(\.step))
        #expect(verdicts.last?.stability != nil && verdicts.last?.balance != nil)
        for (verdict, expected) in zip(verdicts, expected) {
            let pairs = [
                (verdict.stability?.perplexityMean, expected.stability?["perplexity_mean"]),
                (verdict.stability?.evaluationLossDeviation, expected.stability?["eval_loss_std"]),
                (verdict.stability?.gradientNormMean, expected.stability?["grad_norm_mean"]),
                (verdict.balance?.metrics.lossGap, expected.balance?["loss_gap"]),
                (verdict.balance?.metrics.trainVariance, expected.balance?["train_variance"]),
                (verdict.balance?.metrics.totalVariance, expected.balance?["total_variance"]),
            ]
            for (ours, theirs) in pairs {
                #expect((ours == nil) == (theirs == nil), "step \(verdict.step)")
                if let ours, let theirs { #expect(abs(ours - theirs) <= 1e-12 * max(1, abs(theirs))) }
            }
        }
        #expect(judgement.monitor.history.trainLoss.points.count == 40)
        #expect(judgement.monitor.totals.outcome?.reason == .completed)
    }

    @Test func whatTrainerDidNotLogIsNotInvented() throws {
        let state = #"""
            {"max_steps": 30, "num_train_epochs": 3, "best_global_step": null, "log_history": [
              {"step": 10, "loss": 2.5},
              {"step": 20, "loss": NaN, "grad_norm": 1.0, "learning_rate": 1e-4},
              {"step": 20, "eval_loss": 2.25, "eval_runtime": 1.5},
              {"step": 30, "loss": 2.0, "grad_norm": Infinity},
              {"step": 30, "train_runtime": 12.5, "train_loss": 2.2}]}
            """#
        let replay = try Replay(Data(state.utf8))
        #expect(replay.events.count == 6)
        let monitor = try replay.judged().monitor
        #expect(monitor.history.trainLoss.points == [Point(step: 10, value: 2.5)])
        #expect(monitor.history.gradientNorm.points.isEmpty && monitor.history.learningRate.points.isEmpty)
        #expect(monitor.history.evaluationLoss.points == [Point(step: 20, value: 2.25)])
        #expect(monitor.alerts.map(\.kind) == [.notFinite])
        #expect(monitor.alerts.map(\.startStep) == [20])
        #expect(monitor.totals.skippedSteps == 2 && monitor.totals.seconds == 12.5)
    }

    @Test(arguments: [
        (#"{"log_history": [{"step": 1, "loss": "low"}]}"#, "log_history[0].loss, line 1, column 38", "a number"),
        (#"{"log_history": [{"loss": 1}]}"#, "log_history[0]", "no step"),
        (#"{"log_history": [{"step": 2}, {"step": 1}]}"#, "log_history[1].step", "follows step 2"),
        (#"{"log_history": [{"step": 1.5}]}"#, "log_history[0].step, line 1, column 27", "a whole number"),
        (#"{"log_history": {}}"#, "log_history, line 1, column 17", "a list"),
        ("{\n\"global_step\": 3\n}", "log_history", "no such key"),
        ("{\n\"log_history\": [", "line 2, column 17", "expected a value, found its end"),
        ("", "line 1, column 1", "expected a value, found its end"),
        ("[1, 2]", "the file, line 1, column 1", "an object"),
        ("\u{1}", "line 1, column 1", "character U+1"),
        ("{\"log_history\": [" + String(repeating: "[", count: 200), "line 1, column 116", "nested more than 100 deep"),
    ])
    func damagedFilesAreRefusedByPlace(text: String, place: String, message: String) throws {
        let error = try #require(refusal(text))
        #expect(error.code == .malformed && error.place == place)
        #expect(error.message.contains(message), "\(error)")
    }

    @Test func mutatedFilesNeverCrash() throws {
        var generator = SeededGenerator(seed: 11)
        let state = [UInt8](try trainerState())
        let log = [UInt8](try log(Array(SyntheticRun().events.dropFirst().prefix(60))))
        for _ in 0..<400 {
            for original in [state, log] {
                // Whatever is read can be judged.
                _ = try? Replay(Data(mutated(original, using: &generator))).judged()
            }
        }
    }

    // MARK: Meno

    @Test func aLogIsJudgedAsTheRunWas() throws {
        var run = SyntheticRun()
        run.memoryMiB = { 800 + 1000 * $0 }
        run.edit = { step, events in
            if step == 77 { events[0] = .stepSkipped(step: 77, reason: "the loss is nan.", records: ["a:1"]) }
        }
        let live = try run.monitored()
        let replay = try Replay(log(Array(run.events.dropFirst())))
        #expect(replay.source == .log && replay.events == run.events)
        let judgement = try replay.judged()
        #expect(judgement.entries.map(\.decision) == live.decisions)
        #expect(judgement.alerts == live.monitor.alerts && judgement.alerts.count == 2)
        #expect(judgement.entries.allSatisfy { (1...400).contains($0.step) })
        let data = try JSONEncoder().encode(judgement)
        #expect(try JSONDecoder().decode(Replay.Judgement.self, from: data) == judgement)
    }

    /// A log by the epoch, of which only the start event tells how many steps it comes to.
    @Test func aLogIsJudgedByThePointsThatTheRunHad() throws {
        var run = SyntheticRun()
        var description = run.description
        description.loggingSteps = 25
        let events = [.started(description)] + run.events.dropFirst()
        run.edit = { _, _ in }
        var live = try Monitor()
        for event in events { _ = live.observe(event) }
        var log = try log(Array(events.dropFirst()))
        let encoder = JSONEncoder()
        log = try encoder.encode(events[0]) + Data("\n".utf8) + log.drop { $0 != 0x0A }.dropFirst()
        let judged = try Replay(log).judged().monitor
        #expect(judged.history.trainLoss.steps.prefix(2) == [25, 50])
        #expect(judged.history == live.history && judged.alerts == live.alerts)
    }

    /// Evaluations at which saving is wanted under the thresholds of ``easy``.
    private func evaluations(_ extra: (Int) -> [RunEvent] = { _ in [] }) -> [RunEvent] {
        (1...6).flatMap { index in
            [
                .step(step(index * 20, loss: 0.5)),
                .evaluated(evaluation(index * 20, 0.9 - 0.05 * Double(index))),
            ] + extra(index * 20)
        }
    }

    private var easy: MonitorConfiguration {
        var configuration = MonitorConfiguration()
        configuration.windowSize = 2
        configuration.minStepsBetweenCheckpoints = 20
        configuration.maxStableCheckpoints = 2
        return configuration
    }

    @Test func savesThatTheRecordDoesNotTellOfAreTakenToSucceed() throws {
        let judgement = try Replay(log(evaluations())).judged(by: easy)
        #expect(judgement.monitor.policy.checkpoints.map(\.step) == [100, 120])
        let removed = judgement.entries.compactMap { entry -> Int? in
            guard case .removeStableCheckpoint(let step, _) = entry.decision else { return nil }
            return step
        }
        #expect(removed == [40, 60, 80])
    }

    @Test func whatTheRunKeptByOtherThresholdsDoesNotCountAndFailuresDo() throws {
        let events = evaluations { step in
            let record = CheckpointRecord(
                step: step, kind: .stable, path: "model/stable_checkpoint-\(step)", seconds: 1)
            return step == 120
                ? [.checkpointFailed(kind: .stable, step: 120, reason: "disk full")]
                : [.checkpointSaved(record), .checkpointRemoved(record)]
        }
        let judgement = try Replay(log(events)).judged(by: easy)
        #expect(judgement.monitor.policy.checkpoints.map(\.step) == [80, 100])
        #expect(judgement.monitor.policy.consecutiveErrors == 1)
    }

    /// A run that was killed after step 80 and went on from its checkpoint of step 40.
    @Test func whatWasDoneAgainCountsOnce() throws {
        let whole = evaluations()
        let (first, again) = (Array(whole[..<4]), Array(whole[4...]))
        var resumed = SyntheticRun().description
        resumed.resumedAtStep = 40
        let end = RunEvent.finished(RunOutcome(reason: .interrupted, step: 80, seconds: 9))
        let replay = try Replay(
            log(whole[..<8] + [.notice("stopping"), end] + [.started(resumed)] + again))
        #expect(Array(replay.events.dropFirst()) == first + [.started(resumed)] + again)
        #expect(try replay.judged().monitor.history.evaluationLoss.steps == [20, 40, 60, 80, 100, 120])
        // The line that says where it went on was written behind one that was cut short.
        let lost = try Replay(log(whole[..<8] + again))
        #expect(Array(lost.events.dropFirst()) == whole)
        // The checkpoint was on the disk only after the next step.
        let saved = RunEvent.checkpointSaved(
            CheckpointRecord(step: 40, kind: .regular, path: "model/checkpoint-40", seconds: 1))
        let late = try Replay(log(whole[..<5] + [saved] + whole[5..<8] + [.started(resumed)] + again))
        #expect(Array(late.events.dropFirst()) == first + [saved, .started(resumed)] + again)
        // One that was removed by then is not there again.
        let removed = RunEvent.checkpointRemoved(
            CheckpointRecord(step: 20, kind: .regular, path: "model/checkpoint-20", seconds: 0))
        let gone = try Replay(log(whole[..<7] + [removed] + whole[7..<8] + [.started(resumed)] + again))
        #expect(Array(gone.events.dropFirst()) == first + [removed, .started(resumed)] + again)
        // Killed at the very step of the checkpoint, nothing is done again.
        let exact = try Replay(log(first + [end, .started(resumed)] + again))
        #expect(exact.events == replay.events)
    }

    @Test func halfWrittenLinesArePassedOverAndNamed() throws {
        var data = Data("\r\n".utf8) + (try log(evaluations()))
        let whole = try Replay(data)
        #expect(whole.events.count == 13 && whole.unreadableLines == [])
        data += Data("\n{\"step\": {\"_0\": {\"st".utf8)
        let replay = try Replay(data)
        #expect(replay.events == whole.events && replay.unreadableLines == [15])
        #expect(refusal("{\"odd\": 1}\n{}\n")?.place == "line 1")
    }

    /// `metrics.jsonl` has no times and no beginning, and its numbers are those of the steps.
    @Test func aMetricsFileIsALogOfSteps() throws {
        let text = #"""
            {"epoch":0.1,"grad_norm":0.5,"labels":30,"learning_rate":0.0001,"loss":2.5,"step":10,"tokens":40}
            {"records":["a.jsonl:3"],"skipped":"the loss is nan.","step":15}
            {"epoch":0.2,"grad_norm":"NaN","labels":30,"learning_rate":0.0002,"loss":"Infinity","step":16,"tokens":40}
            {"epoch":0.2,"grad_norm":0.25,"labels":10,"learning_rate":0.0002,"loss":1.5,"step":20,"tokens":50}
            {"epoch":0.2,"eval_completion_loss":1.5,"eval_loss":2.25,"eval_perplexity":9.5,"eval_samples":4,"eval_token_accuracy":0.5,"eval_tokens":354,"step":20}
            """#
        let replay = try Replay(Data(text.utf8))
        #expect(replay.source == .log && replay.unreadableLines.isEmpty)
        #expect(replay.events.first == .started(.unknown(totalSteps: 20)))
        #expect(replay.events[2] == .stepSkipped(step: 15, reason: "the loss is nan.", records: ["a.jsonl:3"]))
        #expect(
            replay.events[5]
                == .evaluated(
                    EvaluationMetrics(
                        step: 20, epoch: 0.2, loss: 2.25, tokenAccuracy: 0.5, completionLoss: 1.5, tokens: 354,
                        samples: 4, seconds: 0)))
        let monitor = try replay.judged().monitor
        #expect(monitor.history.trainLoss.values == [2.5, 1.5])
        #expect(monitor.totals.tokens == 90 && monitor.totals.skippedSteps == 2)
        #expect(monitor.alerts.map(\.startStep) == [15])
    }
}
