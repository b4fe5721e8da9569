import Foundation
import MenoMetrics
import MenoModels
import MenoTesting
import Testing

@testable import MenoTraining

/// Observers that ask something of the run.
@Suite(.drawsRandomNumbers) struct SteeringTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Asks by a table, and keeps what it is told.
    private final class Steering: SteeringObserver, ResumableObserver {
        let stateName = "steering"
        let answer: (RunEvent) -> [RunRequest]
        private(set) var all: [RunEvent] = []
        private var requests: [RunRequest] = []

        init(_ answer: @escaping (RunEvent) -> [RunRequest]) { self.answer = answer }

        func observe(_ event: RunEvent) {
            all.append(event)
            requests += answer(event)
        }

        func takeRequests() -> [RunRequest] {
            defer { requests = [] }
            return requests
        }

        func state() -> Data { Data("\(all.count { if case .checkpointSaved = $0 { true } else { false } })".utf8) }
        func restore(_ state: Data) {}
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

    /// What watching costs is told by the run itself; answers to questions tell their own time.
    @Test func theTimeOfObserversIsCounted() throws {
        let slow = Steering { event in
            guard case .step = event else { return [] }
            Thread.sleep(forTimeInterval: 0.01)
            return []
        }
        let asking = Steering { event in
            guard case .evaluated(let metrics) = event else { return [] }
            let start = ContinuousClock.now
            Thread.sleep(forTimeInterval: 0.2)
            let time = (ContinuousClock.now - start) / .seconds(1)
            let answer = ProbeAnswer(question: "何？", answer: "", isComplete: true, tokens: 0, seconds: time)
            return [.tell(.probed(step: metrics.step, answers: [answer]))]
        }
        let outcome = try TinyRun.loop(observers: [slow, asking], arguments).run(model: "tiny")
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
        try TinyRun.loop(model: model, observers: [observer], saving: saving, arguments).run(model: "tiny")
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
        #expect(state.step == 12)
    }

    @Test func aRegularCheckpointKnowsOfTheStableOnesBeforeIt() throws {
        let saving = try saving()
        let observer = Steering {
            if case .evaluated = $0 { [.saveStableCheckpoint(files: [:])] } else { [] }
        }
        try TinyRun.loop(observers: [observer], saving: saving, arguments).run(model: "tiny")
        // Six stable ones and, as every evaluation is the best so far, regular ones of steps 2, 4, 6, 8 and 10.
        let states = try SavedRun(saving.store.url(step: 12)).observers
        #expect(states["steering"] == Data("11".utf8))
    }

    @Test func whatIsToldReachesEveryObserverAndNeverForEver() throws {
        let seen = Recorder()
        let echoing = Steering { event in
            switch event {
            case .evaluated: [.tell(.notice("told"))]
            case .notice: [.tell(.notice("told again"))]
            default: []
            }
        }
        try TinyRun.loop(observers: [seen, echoing], arguments).run(model: "tiny")
        let notices = seen.all.compactMap { if case .notice(let text) = $0 { text } else { nil } }
        #expect(notices.count { $0 == "told" } == 6)
        #expect(notices.count < 40)
    }

    @Test func aRunIsStoppedWithACheckpointAndAReason() throws {
        let saving = try saving()
        let observer = Steering {
            if case .step(let metrics) = $0, metrics.step == 5 { [.stop(reason: "enough")] } else { [] }
        }
        let outcome = try TinyRun.loop(observers: [observer], saving: saving) {
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
        final class Faulty: ResumableObserver, SteeringObserver {
            let stateName = "faulty"
            let kind: String
            var failures = 0
            init(_ kind: String) { self.kind = kind }
            func observe(_ event: RunEvent) throws {
                guard "\(event)".hasPrefix(kind) else { return }
                failures += 1
                throw Fault()
            }
            func takeRequests() -> [RunRequest] { [] }
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
