import Foundation
import MenoErrors
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoTracking

@Suite struct MLflowTrackerTests {
    private let server: MLflowServer
    private let folder: TemporaryFolder

    init() throws {
        server = try MLflowServer()
        folder = try TemporaryFolder()
    }

    private func settings(_ more: [String: String] = [:], grace: Duration = .seconds(5)) throws -> MLflowSettings {
        var settings = try MLflowSettings(["MLFLOW_TRACKING_URI": server.address + "/"].merging(more) { $1 })
        settings.interval = .milliseconds(5)
        settings.retryDelay = .milliseconds(10)
        settings.timeout = .seconds(2)
        settings.grace = grace
        return settings
    }

    private var trackedRun: TrackedRun {
        TrackedRun(
            name: "a run", parameters: (0..<150).map { ("p\($0)", "\($0)") },
            events: folder.url.appending(path: "events.jsonl"), state: folder.url.appending(path: "mlflow.json"))
    }

    private static func started(at step: Int = 0, total: Int = 20) -> RunEvent {
        .started(
            RunDescription(
                model: "m", architecture: "llama", device: "cpu", dtype: "float32", trainSamples: 8,
                evaluationSamples: 2, totalSteps: total, stepsPerEpoch: 4, trainedParameters: 1, totalParameters: 2,
                resumedAtStep: step, loggingSteps: 2, logsFirstStep: false))
    }

    private static func step(_ step: Int) -> RunEvent {
        .step(
            StepMetrics(
                step: step, epoch: Double(step) / 4, loss: Double(step), gradientNorm: 1, learningRate: 0.1, tokens: 10,
                labels: 9, seconds: 0.5))
    }

    private static func evaluation(_ step: Int) -> RunEvent {
        .evaluated(
            EvaluationMetrics(
                step: step, epoch: 1, loss: 2, tokenAccuracy: 0.5, completionLoss: 1.5, tokens: 10, samples: 2,
                seconds: 0.25))
    }

    private static func end(_ reason: RunOutcome.Reason, _ step: Int) -> RunEvent {
        .finished(RunOutcome(reason: reason, step: step, seconds: 1))
    }

    /// - Returns: what is announced.
    @discardableResult
    private func play(
        _ events: [RunEvent], _ settings: MLflowSettings, each: (RunEvent) -> Void = { _ in }
    ) throws -> [String] {
        let tracker = MLflowTracker(settings, run: trackedRun)
        var said: [String] = []
        for event in events {
            try tracker.observe(event)
            each(event)
            for case .announce(let event) in tracker.decisions(after: event) {
                switch event {
                case .notice(let text), .warning(let text): said.append(text)
                default: Issue.record("\(event)")
                }
            }
        }
        return said
    }

    private static let steps = (1...20).map(step)

    /// The points of ``steps``: the mean of two at each second one.
    private static var losses: [Int: [Double]] {
        var losses: [Int: [Double]] = [:]
        for step in stride(from: 2, through: 20, by: 2) { losses[step] = [Double(step) - 0.5] }
        return losses
    }

    @Test func theServerHasWhatTheRunTold() throws {
        let tags = #"{"team": "a"}"#
        let said = try play(
            [Self.started()] + Self.steps + [Self.evaluation(20), Self.end(.completed, 20)],
            settings(["MLFLOW_EXPERIMENT_NAME": "an experiment & more", "MLFLOW_TAGS": tags]))
        let run = try #require(server.run)
        #expect(server.state.withLock { $0.experiments }[run.experiment] == "an experiment & more")
        #expect(run.status == "FINISHED")
        #expect(run.parameters["p149"] == "149" && run.parameters["device"] == "cpu")
        #expect(run.tags["team"] == "a" && run.tags["model"] == "m" && run.tags["mlflow.runName"] == "a run")
        // A point for each line of the log, whose loss is the mean of its two steps.
        #expect(run.series("loss") == Self.losses)
        for key in ["grad_norm", "learning_rate", "epoch"] { #expect(run.series(key).count == 10) }
        #expect(run.series("tokens_per_second")[2] == [20])
        #expect(run.series("eval_loss") == [20: [2]] && run.series("eval_completion_loss") == [20: [1.5]])
        #expect(run.series("eval_runtime") == [20: [0.25]] && run.series("eval_samples_per_second") == [20: [8]])
        #expect(said.count == 1 && said[0].contains("/runs/"))
    }

    @Test func aResumedRunIsTheSameRun() throws {
        let log = trackedRun.events
        var recorded: [RunEvent] = [Self.started()]
        // It is killed at step 9 with a checkpoint of step 7, in the middle of a line of the log.
        recorded += (1...9).map(Self.step)
        try play(recorded, settings()) { _ in usleep(3000) }
        while server.run?.series("loss")[8] == nil { usleep(1000) }
        recorded.append(Self.started(at: 7))
        try write(recorded, to: log)
        try play([Self.started(at: 7)] + (8...20).map(Self.step) + [Self.end(.completed, 20)], settings())
        let run = try #require(server.run)
        #expect(run.status == "FINISHED")
        #expect(run.series("loss") == Self.losses)
    }

    /// A process that is killed before it is told the number of its run finds the run by its mark.
    @Test func aRunWhoseNumberWasLostIsFound() throws {
        let recorded = [Self.started()] + (1...9).map(Self.step)
        try play(recorded + [Self.end(.interrupted, 9)], settings())
        var object = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: trackedRun.state)) as? [String: Any])
        #expect(object.removeValue(forKey: "run") != nil)
        try JSONSerialization.data(withJSONObject: object).write(to: trackedRun.state)
        try write(recorded + [Self.started(at: 9)], to: trackedRun.events)
        try play([Self.started(at: 9)] + (10...20).map(Self.step) + [Self.end(.completed, 20)], settings())
        let run = try #require(server.run)
        #expect(run.status == "FINISHED" && run.series("loss") == Self.losses)
    }

    /// What was never sent of the steps before is sent by the process that resumes the run.
    @Test func aResumedRunSendsWhatIsMissing() throws {
        server.trouble(.status(503), "runs/log-batch")
        let said = try play(
            [Self.started()] + (1...9).map(Self.step) + [Self.end(.interrupted, 9)], settings(grace: .milliseconds(50)))
        #expect(said.contains { $0.contains("values of the run were not sent") }, "\(said)")
        server.clearTroubles()
        try write([Self.started()] + (1...9).map(Self.step) + [Self.started(at: 9)], to: trackedRun.events)
        try play([Self.started(at: 9)] + (10...20).map(Self.step) + [Self.end(.completed, 20)], settings())
        let run = try #require(server.run)
        #expect(run.series("loss").count == 10 && run.series("loss")[10] == [9.5])
        #expect(run.parameters.count > 150)
    }

    @Test func theRecordOfARunIsSentLater() throws {
        try write(
            [Self.started()] + Self.steps + [Self.evaluation(20), Self.end(.failed, 20)], to: trackedRun.events)
        for _ in 0..<2 {
            let said = try MLflowTracker(settings(), run: trackedRun).sendRecord()
            #expect(!said.contains { if case .warning = $0 { true } else { false } })
        }
        let run = try #require(server.run)
        #expect(run.status == "FAILED" && run.series("loss").count == 10)
        #expect(run.series("loss").values.allSatisfy { $0.count == 1 })
    }

    @Test(arguments: ["runs/create", "runs/log-batch", "runs/update", ""])
    func aServerInTroubleGetsEverythingLater(_ path: String) throws {
        for trouble in [MLflowServer.Trouble.status(500), .lostAnswer, .status(429)] {
            let server = try MLflowServer()
            server.trouble(trouble, path, times: 3)
            var settings = try settings()
            settings = try MLflowSettings(["MLFLOW_TRACKING_URI": server.address])
            (settings.interval, settings.retryDelay) = (.milliseconds(5), .milliseconds(5))
            let state = folder.url.appending(path: UUID().uuidString)
            var run = trackedRun
            run.state = state
            let tracker = MLflowTracker(settings, run: run)
            for event in [Self.started()] + Self.steps + [Self.end(.completed, 20)] { try tracker.observe(event) }
            let said = tracker.decisions(after: Self.end(.completed, 20)).map { "\($0)" }
            let sent = try #require(server.run, "\(trouble) \(server.runs.count) runs")
            #expect(sent.status == "FINISHED" && sent.series("loss").count == 10, "\(trouble)")
            #expect(sent.metrics.count == 50)
            #expect(said.contains { $0.contains("unsent values are sent when the server answers") })
            #expect(said.contains { $0.contains("is reachable again") })
        }
    }

    @Test func theTrainingDoesNotWait() throws {
        server.trouble(.slow(200))
        let tracker = MLflowTracker(try settings(grace: .milliseconds(10)), run: trackedRun)
        let time = try ContinuousClock().measure {
            for event in [Self.started()] + (1...2000).map(Self.step) {
                try tracker.observe(event)
                _ = tracker.decisions(after: event)
            }
        }
        #expect(time < .milliseconds(500))
        let end = try ContinuousClock().measure { try tracker.observe(Self.end(.completed, 2000)) }
        #expect(end < .seconds(3))
    }

    @Test func aServerThatIsGoneHoldsNobodyUp() throws {
        var settings = try settings(grace: .milliseconds(100))
        settings = try MLflowSettings(["MLFLOW_TRACKING_URI": "http://127.0.0.1:1"])
        (settings.grace, settings.retryDelay) = (.milliseconds(100), .milliseconds(10))
        let said = try play([Self.started()] + Self.steps + [Self.end(.completed, 20)], settings)
        #expect(said.count == 2)
        #expect(said.last?.contains("50 values of the run were not sent") == true, "\(said)")
    }

    @Test func aRefusalIsSaidWithItsRemedy() throws {
        server.state.withLock { $0.wanted = "Bearer right" }
        let said = try play(
            [Self.started()] + Self.steps + [Self.end(.completed, 20)],
            settings(["MLFLOW_TRACKING_TOKEN": "wrong-and-secret"]))
        #expect(said.contains { $0.contains("401") && $0.contains("Check MLFLOW_TRACKING_TOKEN") }, "\(said)")
        // The server repeats the token in its answer.
        #expect(!said.joined().contains("wrong-and-secret"))
        #expect(server.runs.isEmpty)
    }

    @Test func credentialsGoIntoTheHeaderAlone() throws {
        let address = server.address.replacing("http://", with: "http://me:word-in-url@")
        for (environment, header) in [
            (["MLFLOW_TRACKING_TOKEN": "abc-123"], "Bearer abc-123"),
            (["MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "pw-456"], "Basic dTpwdy00NTY="),
            (["MLFLOW_TRACKING_URI": address], "Basic bWU6d29yZC1pbi11cmw="),
        ] {
            server.state.withLock { $0.authorizations = [] }
            let settings = try settings(environment)
            let said = try play([Self.started()] + Self.steps + [Self.end(.completed, 20)], settings)
            #expect(server.state.withLock { $0.authorizations } == [header])
            var dumped = ""
            dump(settings, to: &dumped)
            let state = try String(contentsOf: trackedRun.state, encoding: .utf8)
            for text in ["\(settings)", dumped, said.joined(), state] {
                for secret in ["abc-123", "pw-456", "dTpwdy00NTY=", "word-in-url"] { #expect(!text.contains(secret)) }
            }
        }
    }

    @Test(arguments: [
        [:], ["MLFLOW_TRACKING_URI": "sqlite:///secret.db"], ["MLFLOW_TRACKING_URI": "/var/runs"],
        ["MLFLOW_TRACKING_URI": "http://"], ["MLFLOW_TRACKING_URI": "http://a", "MLFLOW_TAGS": "[1]"],
        ["MLFLOW_TRACKING_URI": "http://a", "MLFLOW_TRACKING_TOKEN": "a b"],
    ]) func settingsThatCannotBeUsed(_ environment: [String: String]) throws {
        let error = try #require(throws: TrackingError.self) { try MLflowSettings(environment) }
        #expect(error.place?.hasPrefix("MLFLOW_") == true && error.advice != nil)
        #expect(!"\(error)".contains("secret") && !"\(error)".contains("a b"))
    }

    @Test func aRunThatTheServerNoLongerHas() throws {
        try play([Self.started()] + Self.steps + [Self.end(.interrupted, 20)], settings())
        server.state.withLock { state in for id in state.runs.keys { state.runs[id]?.isDeleted = true } }
        let said = try play([Self.started(at: 20, total: 40)] + [Self.end(.completed, 20)], settings())
        #expect(server.runs.count == 2)
        #expect(said.contains { $0.contains("no longer exists") })
    }

    private func write(_ events: [RunEvent], to url: URL) throws {
        let lines = try events.map { String(decoding: try JSONEncoder.reproducible().encode($0), as: UTF8.self) }
        try (lines.joined(separator: "\n") + "\n").write(to: url, atomically: true, encoding: .utf8)
    }
}
