import Foundation
import MenoMetrics
import MenoModels
import MenoTesting
import Testing

@testable import MenoTraining

/// Policies decide, stages work with the model, observers only observe.
@Suite(.drawsRandomNumbers) struct SteeringTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Decides by a table, and keeps what it sees.
    private final class Steering: RunPolicy, ResumableObserver {
        let stateName = "steering"
        let answer: (RunEvent) -> [RunDecision]
        private(set) var all: [RunEvent] = []

        init(_ answer: @escaping (RunEvent) -> [RunDecision]) { self.answer = answer }

        func observe(_ event: RunEvent) { all.append(event) }
        func decisions(after event: RunEvent) -> [RunDecision] { answer(event) }

        func state() -> Data { Data("\(all.count { if case .checkpointSaved = $0 { true } else { false } })".utf8) }
        func restore(_ state: Data) {}
    }

    private struct Stage: EvaluationStage {
        let body: (EvaluationMetrics, Duration) throws -> [RunEvent]
        init(_ body: @escaping (EvaluationMetrics, Duration) throws -> [RunEvent]) { self.body = body }
        func run(after evaluation: EvaluationMetrics, elapsed: Duration) throws -> [RunEvent] {
            try body(evaluation, elapsed)
        }
    }

    private func saving() throws -> RunSaving {
        let settings = try LoRAFiles.settings(in: Fixtures.url("models/gemma3-tiny/adapter"))
        return RunSaving(
            store: CheckpointStore(folder.url), form: .adapter(settings, baseModel: "tiny"), settings: [:])
    }

    private func arguments(_ arguments: inout TrainingArguments) {
        arguments.evaluationSteps = 2
        arguments.saveSteps = 4
        arguments.saveTotalLimit = 1
        arguments.evaluatesOnStart = false
    }

    /// The run itself reports what watching costs; answers to questions have their own time.
    @Test func theTimeOfObserversIsCounted() throws {
        let slow = Steering { event in
            if case .step = event { Thread.sleep(forTimeInterval: 0.01) }
            return []
        }
        let asking = Stage { metrics, elapsed in
            #expect(elapsed > .zero && elapsed < .seconds(60))
            let start = ContinuousClock.now
            Thread.sleep(forTimeInterval: 0.2)
            let time = (ContinuousClock.now - start) / .seconds(1)
            let answer = ProbeAnswer(question: "何？", answer: "", isComplete: true, tokens: 0, seconds: time)
            return [.probed(step: metrics.step, answers: [answer])]
        }
        let outcome = try TinyRun.loop(observers: [slow], policies: [slow], stages: [asking], arguments)
            .run(model: "tiny")
        let seconds = try #require(outcome.observerSeconds)
        #expect(seconds >= 0.12 && seconds < 0.6 && seconds < outcome.seconds - 1.1)
        guard case .finished(let told) = slow.all.last else { throw Missing() }
        #expect(told.observerSeconds == seconds)
    }

    private struct Missing: Error {}

    @Test func stableCheckpointsAreKeptApartFromRegularOnes() throws {
        let saving = try saving()
        let observer = Steering { event in
            switch event {
            case .evaluated(let metrics):
                [.saveStableCheckpoint(files: ["stability_metrics.json": Data("{}".utf8)])]
                    + (metrics.step == 12 ? [.removeStableCheckpoint(step: 4)] : [])
            case .checkpointSaved(let record) where record.kind == .stable && record.step > 8:
                [.removeStableCheckpoint(step: record.step - 8)]
            default: []
            }
        }
        let model = try TinyRun.model()
        try TinyRun.loop(model: model, observers: [observer], policies: [observer], saving: saving, arguments).run(
            model: "tiny")
        let stable = saving.stableStore
        #expect(stable.steps == [6, 8, 10, 12])
        #expect(stable.path(step: 6) == "\(folder.url.lastPathComponent)/stable_checkpoint-6")
        // The best one is the newest here: regular checkpoints rotate by themselves.
        #expect(saving.store.steps == [12])
        for step in stable.steps { #expect(CheckpointManifest.fault(of: stable.url(step: step)) == nil) }
        let names = try FileManager.default.contentsOfDirectory(atPath: stable.url(step: 6).path)
        #expect(names.contains("stability_metrics.json") && names.count == 8)
        let removed = observer.all.compactMap { event -> Int? in
            if case .checkpointRemoved(let record) = event, record.kind == .stable { record.step } else { nil }
        }
        #expect(removed.sorted() == [2, 4])
        // One can be gone on from, and the regular one of the same step knows of it.
        let rest = Recorder()
        let loop = try TinyRun.loop(observers: [rest], saving: saving, arguments)
        try loop.resume(from: stable.url(step: 8))
        try loop.run(model: "tiny")
        #expect(rest.steps.map(\.step) == [9, 10, 11, 12])
        let state = try SavedRun(saving.store.url(step: 12)).state
        #expect(state.progress.stepsDone == 12)
    }

    @Test func aRegularCheckpointKnowsOfTheStableOnesBeforeIt() throws {
        let saving = try saving()
        let observer = Steering {
            if case .evaluated = $0 { [.saveStableCheckpoint(files: [:])] } else { [] }
        }
        try TinyRun.loop(observers: [observer], policies: [observer], saving: saving, arguments).run(model: "tiny")
        // Six stable ones and, as every evaluation is the best so far, regular ones of steps 2, 4, 6, 8 and 10.
        let states = try SavedRun(saving.store.url(step: 12)).observers
        #expect(states["steering"] == Data("11".utf8))
    }

    @Test func whatIsAnnouncedReachesEveryObserverAndIsNotAnswered() throws {
        let seen = Recorder()
        let echoing = Steering { event in
            switch event {
            case .evaluated: [.announce(.notice("told"))]
            case .notice("told"): [.announce(.notice("told again"))]
            default: []
            }
        }
        let other = Steering { $0 == .notice("told") ? [.stop(reason: "an announcement")] : [] }
        let outcome = try TinyRun.loop(observers: [seen, echoing], policies: [echoing, other], arguments)
            .run(model: "tiny")
        #expect(outcome.reason == .completed)
        for events in [seen.all, echoing.all] {
            let notices = events.compactMap {
                if case .notice(let text) = $0, text.hasPrefix("told") { text } else { nil }
            }
            #expect(notices == Array(repeating: "told", count: 6))
        }
    }

    /// However policies answer each other's checkpoints, a run ends.
    @Test func savingEndsWhateverPoliciesWant() throws {
        let saving = try saving()
        let restless = Steering { event in
            switch event {
            case .checkpointSaved(let record):
                [.saveStableCheckpoint(files: [:]), .removeStableCheckpoint(step: record.step)]
            case .checkpointRemoved: [.saveStableCheckpoint(files: [:])]
            case .checkpointFailed: [.saveStableCheckpoint(files: [:])]
            default: []
            }
        }
        try TinyRun.loop(observers: [restless], policies: [restless], saving: saving, arguments).run(model: "tiny")
        #expect(saving.store.steps == [12])
    }

    /// Policies judge an evaluation and what its stages find together, after every observer has seen both.
    @Test func stagesComeBetweenAnEvaluationAndWhatFollowsFromIt() throws {
        struct Fault: Error {}
        let observer = Steering { event in
            switch event {
            case .evaluated: [.announce(.notice("verdict"))]
            case .probed: [.announce(.notice("answers judged"))]
            default: []
            }
        }
        let stages = [
            Stage { _, _ in throw Fault() }, Stage { metrics, _ in [.probed(step: metrics.step, answers: [])] },
        ]
        try TinyRun.loop(observers: [observer], policies: [observer], stages: stages, arguments).run(model: "tiny")
        let start = try #require(observer.all.firstIndex { if case .evaluated = $0 { true } else { false } })
        let names = observer.all[start..<start + 5].map { "\($0)".prefix { $0 != "(" } }
        #expect(names == ["evaluated", "probed", "notice", "notice", "resources"])
        #expect(observer.all[start + 2] == .notice("verdict") && observer.all[start + 3] == .notice("answers judged"))
        #expect(observer.all.count { if case .probed = $0 { true } else { false } } == 6)
    }

    @Test func aRunIsStoppedWithACheckpointAndAReason() throws {
        let saving = try saving()
        let observer = Steering {
            if case .step(let metrics) = $0, metrics.step == 5 { [.stop(reason: "enough")] } else { [] }
        }
        let outcome = try TinyRun.loop(observers: [observer], policies: [observer], saving: saving) {
            arguments(&$0)
            $0.loadsBestModelAtEnd = false
        }.run(model: "tiny")
        #expect(outcome.reason == .stoppedEarly && outcome.step == 5 && outcome.message == "enough")
        #expect(saving.store.steps.last == 5)
    }

    /// Fails at one kind of event after another.
    @Test(arguments: ["started", "step", "evaluated", "resources", "checkpointSaved", "checkpointRemoved", "finished"])
    func aFaultInAnObserverChangesNothing(_ kind: String) throws {
        struct Fault: Error {}
        final class Faulty: ResumableObserver {
            let stateName = "faulty"
            let kind: String
            var failures = 0
            init(_ kind: String) { self.kind = kind }
            func observe(_ event: RunEvent) throws {
                guard "\(event)".hasPrefix(kind) else { return }
                failures += 1
                throw Fault()
            }
            func state() throws -> Data { throw Fault() }
            func restore(_ state: Data) throws { throw Fault() }
        }
        let run = { (observers: [any RunObserver], name: String) in
            let settings = try LoRAFiles.settings(in: Fixtures.url("models/gemma3-tiny/adapter"))
            let store = CheckpointStore(folder.url.appending(path: name))
            let saving = RunSaving(store: store, form: .adapter(settings, baseModel: "tiny"), settings: [:])
            try TinyRun.loop(observers: observers, saving: saving, arguments).run(model: "tiny")
            return try Data(contentsOf: store.url(step: 12).appending(path: LoRAFiles.weightsName))
        }
        let faulty = Faulty(kind)
        #expect(try run([faulty], "faulty") == run([], "plain"))
        #expect(faulty.failures > 0)
    }
}
