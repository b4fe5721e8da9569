import Foundation
import MenoMetrics
import MenoModels
import MenoTesting
import Testing

@testable import MenoTraining

/// Which model a run ends with.
@Suite(.drawsRandomNumbers) struct DeliveredModelTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func saving(_ name: String) throws -> RunSaving {
        let settings = try LoRAFiles.settings(in: Fixtures.url("models/gemma3-tiny/adapter"))
        return RunSaving(
            store: CheckpointStore(folder.url.appending(path: name)), form: .adapter(settings, baseModel: "tiny"),
            settings: [:])
    }

    /// Uphill: each evaluation is worse than the one before, that of step 2 is the best.
    private func uphill(_ arguments: inout TrainingArguments) {
        arguments.evaluationSteps = 2
        arguments.saveSteps = 2
        arguments.learningRate = -0.02
        arguments.saveTotalLimit = nil
    }

    private func warnings(_ events: Recorder) -> [String] {
        events.all.compactMap { if case .warning(let text) = $0 { text } else { nil } }
    }

    /// The perplexity of the model that a run ends with.
    private func perplexity(_ model: Decoder, evaluation: Int = 4) throws -> Double {
        try Evaluator(model).evaluate(TinyRun.examples(evaluation)).perplexity
    }

    private func expectDelivered(_ model: Decoder, _ events: Recorder, step: Int) throws {
        let expected = try #require(events.evaluations.last { $0.step == step }).perplexity
        #expect(abs(try perplexity(model) - expected) < 1e-9)
    }

    /// Its weights are nowhere on the disk.
    @Test func theModelBeforeTheFirstStepIsNoResult() throws {
        let (model, events) = (try TinyRun.model(), Recorder())
        let loop = try TinyRun.loop(model: model, observers: [events], saving: saving("run"), uphill)
        let outcome = try loop.run(model: "tiny")
        #expect(outcome.bestStep == 2 && events.evaluations[0].perplexity < events.evaluations[1].perplexity)
        try expectDelivered(model, events, step: 2)
        #expect(warnings(events).contains { $0.contains("better before training") }, "\(warnings(events))")
    }

    @Test func anEvaluationWhoseSaveFailedMakesRoomForTheNextBest() throws {
        let obstacle = folder.url.appending(path: "run")
        try Data("x".utf8).write(to: obstacle)
        let (model, events) = (try TinyRun.model(), Recorder())
        let outcome = try TinyRun.loop(
            model: model, observers: [events, Unblocker(obstacle)], saving: saving("run"), uphill
        ).run(model: "tiny")
        #expect(outcome.bestStep == 4)
        try expectDelivered(model, events, step: 4)
        #expect(warnings(events).contains { $0.contains("before training") })
    }

    /// The last model needs no checkpoint: the result is written from memory.
    @Test func theLastModelCanStillBeDelivered() throws {
        try Data("x".utf8).write(to: folder.url.appending(path: "run"))
        let (model, events) = (try TinyRun.model(), Recorder())
        let outcome = try TinyRun.loop(model: model, observers: [events], saving: saving("run")) {
            uphill(&$0)
            $0.learningRate = 5e-3
        }.run(model: "tiny")
        #expect(outcome.bestStep == 12)
        try expectDelivered(model, events, step: 12)
        #expect(warnings(events).isEmpty, "\(warnings(events))")
    }

    @Test func aBestModelThatWasDamagedMakesRoomForTheNextBest() throws {
        let (model, events, saving) = (try TinyRun.model(), Recorder(), try saving("run"))
        let damage = Damage(saving.store.url(step: 2).appending(path: LoRAFiles.weightsName), atStep: 9)
        let outcome = try TinyRun.loop(model: model, observers: [events, damage], saving: saving, uphill)
            .run(model: "tiny")
        #expect(outcome.bestStep == 4)
        try expectDelivered(model, events, step: 4)
        #expect(warnings(events).contains { $0.contains("(step 2) cannot be loaded: \(LoRAFiles.weightsName)") })
    }

    /// `save_strategy: no`, and `load_best_model_at_end: false`.
    @Test func aBetterModelIsNeverPassedOverSilently() throws {
        let events = [Recorder(), Recorder()]
        let unsaved = try TinyRun.loop(observers: [events[0]], saving: saving("unsaved")) {
            uphill(&$0)
            $0.saveStrategy = .no
            $0.evaluatesOnStart = false
        }.run(model: "tiny")
        #expect(unsaved.bestStep == nil)
        #expect(warnings(events[0]).contains { $0.contains("step 2 was better, but its weights are not on disk") })
        let last = try TinyRun.loop(observers: [events[1]], saving: saving("last")) {
            uphill(&$0)
            $0.saveSteps = 3
            $0.loadsBestModelAtEnd = false
            $0.evaluatesOnStart = false
        }.run(model: "tiny")
        // Of the evaluations, those of steps 6 and 12 have a checkpoint.
        #expect(last.bestStep == 6 && warnings(events[1]).isEmpty)
        let notices = events[1].all.compactMap { if case .notice(let text) = $0 { text } else { nil } }
        #expect(notices.contains { $0.contains("step 2 was better (load_best_model_at_end: false)") }, "\(notices)")
    }

    @Test func theBestOfAnotherRunIsFoundBesideItsCheckpoint() throws {
        let first = try saving("first")
        let events = Recorder()
        try TinyRun.loop(observers: [events], saving: first, uphill).run(model: "tiny")
        let resume = { (name: String, events: Recorder) in
            let model = try TinyRun.model()
            let loop = try TinyRun.loop(model: model, observers: [events], saving: saving(name), uphill)
            try loop.resume(from: first.store.url(step: 6))
            return (try loop.run(model: "tiny").bestStep, model)
        }
        let rest = Recorder()
        let (best, model) = try resume("second", rest)
        #expect(best == 2 && !warnings(rest).contains { $0.contains("no complete checkpoint") })
        try expectDelivered(model, events, step: 2)
        // Resumed once more, from the checkpoints of its own.
        let again = try TinyRun.loop(model: TinyRun.model(), observers: [], saving: saving("second"), uphill)
        try again.resume(from: saving("second").store.url(step: 10))
        #expect(try again.run(model: "tiny").bestStep == 2)
        // Where it was removed, the next best is taken, and the loss told.
        try FileManager.default.removeItem(at: first.store.url(step: 2))
        let without = Recorder()
        let (next, other) = try resume("third", without)
        #expect(next == 4)
        try expectDelivered(other, events, step: 4)
        #expect(warnings(without).contains { $0.contains("from step 2, has no complete checkpoint") })
    }

    /// A checkpoint that only has the name of the best is not taken for it.
    @Test func aCheckpointOfAnotherBranchIsNotTheBest() throws {
        let (saving, events) = (try saving("run"), Recorder())
        try TinyRun.loop(observers: [events], saving: saving, uphill).run(model: "tiny")
        let best = saving.store.url(step: 2)
        try FileManager.default.removeItem(at: best)
        try FileManager.default.copyItem(at: saving.store.url(step: 8), to: best)
        let (model, rest) = (try TinyRun.model(), Recorder())
        let loop = try TinyRun.loop(model: model, observers: [rest], saving: saving, uphill)
        try loop.resume(from: saving.store.url(step: 6))
        #expect(try loop.run(model: "tiny").bestStep == 4)
        try expectDelivered(model, events, step: 4)
        #expect(warnings(rest).contains { $0.contains("from step 2, has no complete checkpoint") })
    }

    @Test func otherHeldOutExamplesStartFromScratch() throws {
        let saving = try saving("run")
        let first = Recorder()
        try TinyRun.loop(observers: [first], saving: saving, uphill).run(model: "tiny")
        let (model, events) = (try TinyRun.model(), Recorder())
        let loop = try TinyRun.loop(model: model, evaluation: 3, observers: [events], saving: saving) {
            uphill(&$0)
            $0.earlyStoppingPatience = 2
        }
        try loop.resume(from: saving.store.url(step: 4), allowsChanges: true)
        #expect(loop.progress.best == BestModel(since: 4))
        let outcome = try loop.run(model: "tiny")
        // The evaluation of step 6 is the first of its kind, and those of 8 and 10 are no better.
        #expect(outcome.reason == .stoppedEarly && outcome.step == 10 && outcome.bestStep == 6)
        #expect(abs(try perplexity(model, evaluation: 3) - events.evaluations[0].perplexity) < 1e-9)
        #expect(!warnings(events).contains { $0.contains("better") }, "\(warnings(events))")
    }

    @Test func checkpointsThatHoldTheModelAloneAreNotResumedFrom() throws {
        let (saving, events) = (try saving("run"), Recorder())
        let change = { (arguments: inout TrainingArguments) in
            uphill(&arguments)
            arguments.savesOnlyModel = true
        }
        let outcome = try TinyRun.loop(observers: [events], saving: saving, stopAfter: (events, 6), change)
            .run(model: "tiny")
        #expect(outcome.reason == .interrupted && saving.store.steps == [2, 4, 6])
        let names = try FileManager.default.contentsOfDirectory(atPath: saving.store.url(step: 4).path)
        #expect(Set(names) == ["adapter_config.json", LoRAFiles.weightsName, "manifest.json", TrainerState.name])
        // The interruption's own holds everything.
        #expect(saving.store.newest().url == saving.store.url(step: 6))
        try FileManager.default.removeItem(at: saving.store.url(step: 6))
        let (url, faults) = saving.store.newest()
        #expect(url == nil && faults.count == 2 && faults[0].contains("save_only_model") && !saving.store.isResumable)
        let error = #expect(throws: TrainingError.self) {
            try TinyRun.loop(observers: [], saving: saving, change).resume(from: saving.store.url(step: 4))
        }
        #expect(error?.code == .cannotResume && error?.message.contains("save_only_model") == true)
    }
}

/// Removes what stands in the way of a checkpoint when the first has failed.
private final class Unblocker: RunObserver {
    private let obstacle: URL

    init(_ obstacle: URL) { self.obstacle = obstacle }

    func observe(_ event: RunEvent) throws {
        if case .checkpointFailed = event { try? FileManager.default.removeItem(at: obstacle) }
    }
}

/// Changes a byte of a file, whose size stays.
private final class Damage: RunObserver {
    private let file: URL
    private let step: Int

    init(_ file: URL, atStep step: Int) {
        self.file = file
        self.step = step
    }

    func observe(_ event: RunEvent) throws {
        guard case .step(let metrics) = event, metrics.step == step else { return }
        var data = try Data(contentsOf: file)
        data[data.count / 2] ^= 0x10
        try data.write(to: file)
    }
}
