import Foundation
import MenoData
import MenoFormats
import MenoMetrics
import MenoModels
import MenoReporting
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// Runs that are cut and resumed, and checkpoints that are broken.
@Suite(.drawsRandomNumbers) struct CheckpointTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func saving(_ name: String, settings: [String: String] = ["rate": "1"]) throws -> RunSaving {
        let settingsOfAdapter = try LoRAFiles.settings(in: Fixtures.url("models/gemma3-tiny/adapter"))
        return RunSaving(
            store: CheckpointStore(folder.url.appending(path: name)),
            form: .adapter(settingsOfAdapter, baseModel: "tiny"),
            settings: settings)
    }

    private func arguments(_ arguments: inout TrainingArguments) {
        arguments.evaluationSteps = 2
        arguments.saveSteps = 2
        arguments.loggingSteps = 3
    }

    private func bytes(_ store: CheckpointStore, step: Int) throws -> [String: Data] {
        let url = store.url(step: step)
        return try Dictionary(
            uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: url.path).map {
                ($0, try Data(contentsOf: url.appending(path: $0)))
            })
    }

    @Test func aResumedRunEndsWithTheBytesOfAnUnbrokenOne() throws {
        let whole = try saving("whole")
        try TinyRun.loop(model: dropping(), observers: [], saving: whole, arguments).run(model: "tiny")
        let cut = try saving("cut")
        let events = Recorder()
        let first = try TinyRun.loop(
            model: dropping(), observers: [events], saving: cut, stopAfter: (events, 5), arguments
        ).run(model: "tiny")
        #expect(first.reason == .interrupted && cut.store.steps == [2, 4, 5])
        let rest = Recorder()
        let loop = try TinyRun.loop(model: dropping(), observers: [rest], saving: cut, arguments)
        try RandomGenerator.seed(999)
        try loop.resume(from: #require(cut.store.newest().url))
        #expect(try loop.run(model: "tiny").reason == .completed)
        #expect(rest.steps.map(\.step) == Array(6...12))
        let (expected, found) = (try bytes(whole.store, step: 12), try bytes(cut.store, step: 12))
        #expect(Set(expected.keys) == Set(found.keys) && expected.count == 7)
        for (name, data) in expected { #expect(found[name] == data, "\(name)") }
    }

    /// One that began when equal examples could be on both sides, too.
    @Test func aRunKeepsTheSplitThatItBeganWith() throws {
        let examples = TinyRun.examples(30).map { TinyRun.examples(30)[Int($0.ids[0]) % 12] }
        let sides = try ExampleSides(examples, trainFraction: 0.5, limit: 4, seed: 3, shuffles: true)
        let plain = Split(count: 30, trainFraction: 0.5, seed: 3)
        let heldOut = plain.heldOut.map { examples[$0] }
        let former = ExampleSides.Sides(
            training: plain.training.map { examples[$0] },
            evaluation: BalancedSample.positions(of: heldOut, limit: 4, seed: 3).map { heldOut[$0] })
        #expect(former.contents != sides.current.contents)
        for (name, begun) in [("former", former), ("current", sides.current)] {
            let saving = try saving(name)
            let loop = { (sides: ExampleSides.Sides) in
                try TinyRun.loop(sides: sides, observers: [], saving: saving) {
                    $0.maxSteps = 3
                    $0.saveSteps = 2
                }
            }
            try loop(begun).run(model: "tiny")
            let checkpoint = saving.store.url(step: 2)
            let found = sides.sides(of: checkpoint)
            #expect(found.sides.contents == begun.contents && found.isFormer == (name == "former"))
            try loop(found.sides).resume(from: checkpoint)
            let other = begun.contents == former.contents ? sides.current : former
            #expect(throws: TrainingError.self) { try loop(other).resume(from: checkpoint) }
        }
        // Neither of other data nor without a checkpoint is there a reason for the former one.
        #expect(sides.sides(of: folder.url).sides.contents == sides.current.contents)
        let more = try ExampleSides(examples + examples, trainFraction: 0.5, limit: 4, seed: 3, shuffles: true)
        #expect(try !more.sides(of: saving("former").store.url(step: 2)).isFormer)
    }

    /// Steps that are evaluated, in the midst and at the end: the interruption comes before the evaluation.
    @Test(arguments: [4, 12]) func anEvaluationThatWasInterruptedIsMadeWhenTheRunGoesOn(_ step: Int) throws {
        let metrics = { (name: String) in self.folder.url.appending(path: "\(name).jsonl") }
        let (whole, unbroken) = (try saving("whole"), Recorder())
        let expected = try TinyRun.loop(
            model: dropping(), observers: [unbroken, MetricsFile(metrics("whole"))], saving: whole, arguments
        ).run(model: "tiny")
        let (cut, events) = (try saving("cut"), Recorder())
        let first = try TinyRun.loop(
            model: dropping(), observers: [events, MetricsFile(metrics("cut"))], saving: cut,
            stopAfter: (events, step), arguments
        ).run(model: "tiny")
        #expect(first.reason == .interrupted && cut.store.steps.last == step)
        #expect(events.evaluations.last?.step == step - 2)
        let rest = Recorder()
        let loop = try TinyRun.loop(
            model: dropping(), observers: [rest, MetricsFile(metrics("cut"))], saving: cut, arguments)
        try loop.resume(from: #require(cut.store.newest().url))
        let outcome = try loop.run(model: "tiny")
        #expect(outcome.reason == .completed && outcome.bestStep == expected.bestStep)
        let losses = (events.evaluations + rest.evaluations).map(\.loss)
        #expect(losses == unbroken.evaluations.map(\.loss) && losses.count == 7)
        #expect(try Data(contentsOf: metrics("cut")) == Data(contentsOf: metrics("whole")))
        for step in [step, 12] {
            let (expected, found) = (try bytes(whole.store, step: step), try bytes(cut.store, step: step))
            #expect(Set(expected.keys) == Set(found.keys) && expected.count == 7)
            for (name, data) in expected { #expect(found[name] == data, "\(step): \(name)") }
        }
    }

    /// The tiny model with dropout in its adapters, so that random numbers matter.
    private func dropping() throws -> Decoder {
        let model = try ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: .float32)
        try RandomGenerator.seed(3)
        try model.attachLoRA(LoRASettings(rank: 2, alpha: 4, dropout: 0.3, targets: .names(["q_proj", "v_proj"])))
        return model
    }

    @Test func rotationKeepsTheBestAndTheNewest() throws {
        let saving = try saving("run")
        // Nothing is learnt: no evaluation is better than the first.
        let outcome = try TinyRun.loop(observers: [], saving: saving) {
            arguments(&$0)
            $0.learningRate = 1e-30
            $0.saveTotalLimit = 2
            $0.evaluatesOnStart = false
        }.run(model: "tiny")
        #expect(outcome.bestStep == 2 && saving.store.steps == [2, 12])
    }

    @Test func theBestModelIsLoadedAtTheEnd() throws {
        let saving = try saving("run")
        let model = try TinyRun.model()
        let outcome = try TinyRun.loop(model: model, observers: [], saving: saving) {
            arguments(&$0)
            // Uphill: each evaluation is worse than the one before.
            $0.learningRate = -0.02
            $0.evaluatesOnStart = false
        }.run(model: "tiny")
        #expect(outcome.bestStep == 2)
        let evaluation = try Evaluator(model).evaluate(TinyRun.examples(4))
        #expect(abs(evaluation.perplexity - (try #require(outcome.bestMetric))) < 1e-9)
    }

    @Test func earlyStoppingEndsARunThatGetsWorse() throws {
        let outcome = try TinyRun.loop(observers: []) {
            arguments(&$0)
            $0.learningRate = 1e-30
            // As in Trainer, the model before the first step is nothing to improve on.
            $0.evaluatesOnStart = true
            $0.earlyStoppingPatience = 2
        }.run(model: "tiny")
        #expect(outcome.reason == .stoppedEarly && outcome.step == 6)
    }

    @Test(arguments: ["emptied", "truncated", "removed", "flipped"]) func aBrokenCheckpointIsPassedOver(
        _ damage: String
    )
        throws
    {
        let saving = try saving("run")
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        let newest = saving.store.url(step: 12)
        for name in try FileManager.default.contentsOfDirectory(atPath: newest.path) {
            let file = newest.appending(path: name)
            let original = try Data(contentsOf: file)
            switch damage {
            case "emptied": try Data().write(to: file)
            case "truncated": try original.dropLast(3).write(to: file)
            case "removed": try FileManager.default.removeItem(at: file)
            default:
                var changed = original
                changed[changed.count / 2] ^= 0x10
                try changed.write(to: file)
            }
            let (url, faults) = saving.store.newest()
            #expect(url == saving.store.url(step: 10), "\(name)")
            #expect(faults.count == 1 && faults[0].contains("checkpoint-12"))
            if name != "manifest.json" { #expect(faults[0].contains(name), "\(faults)") }
            let error = #expect(throws: TrainingError.self) {
                try TinyRun.loop(observers: [], saving: saving, arguments).resume(from: newest)
            }
            #expect(error?.code == .cannotResume)
            try original.write(to: file)
        }
        #expect(saving.store.newest().url == newest)
    }

    @Test func otherSettingsAreNamedAndRefused() throws {
        let before = try saving("run")
        try TinyRun.loop(observers: [], saving: before, arguments).run(model: "tiny")
        let changed = try saving("run", settings: ["rate": "2"])
        let loop = try TinyRun.loop(observers: [], saving: changed, arguments)
        let error = #expect(throws: TrainingError.self) { try loop.resume(from: before.store.url(step: 12)) }
        #expect(
            error?.message.contains("rate was 1, is now 2") == true && error?.settings == [.allowedChanges])
        try loop.resume(from: before.store.url(step: 12), allowsChanges: true)
        #expect(try loop.run(model: "tiny").step == 12)
    }

    @Test func goingOnFromAnOlderCheckpointSetsLaterOnesAside() throws {
        let saving = try saving("run")
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        let events = Recorder()
        let loop = try TinyRun.loop(observers: [events], saving: saving, stopAfter: (events, 1)) {
            arguments(&$0)
            $0.saveTotalLimit = 2
        }
        try loop.resume(from: saving.store.url(step: 4))
        #expect(saving.store.steps == [2, 4])
        for step in [6, 8, 10, 12] {
            let aside = saving.store.folder.appending(path: "abandoned_checkpoint-\(step)")
            #expect(CheckpointManifest.fault(of: aside) == nil, "\(step)")
        }
        try loop.run(model: "tiny")
        #expect(saving.store.newest().url == saving.store.url(step: 5))
    }

    @Test func rotationPassesOverBrokenCheckpoints() throws {
        let saving = try saving("run")
        // Left by a process of old, or by hand.
        let broken = saving.store.url(step: 99)
        try FileManager.default.createDirectory(at: broken, withIntermediateDirectories: true)
        try TinyRun.loop(observers: [], saving: saving) {
            arguments(&$0)
            $0.saveTotalLimit = 1
            $0.evaluationStrategy = .no
        }.run(model: "tiny")
        #expect(saving.store.steps == [12, 99] && saving.store.newest().url == saving.store.url(step: 12))
    }

    /// A run that fails saves the state from before the step that it failed in.
    @Test func aRunThatFailsIsGoneOnFromBeforeTheStep() throws {
        let saving = try saving("run")
        let model = try dropping()
        let events = Recorder()
        let poison = Poison(model, after: 3)
        let loop = try TinyRun.loop(model: model, observers: [events, poison], saving: saving) {
            arguments(&$0)
            $0.evaluationStrategy = .no
            $0.maxSkippedSteps = 1
        }
        #expect(throws: TrainingError.self) { try loop.run(model: "tiny") }
        #expect(events.steps.count == 3 && saving.store.steps == [2, 3])
        let state = try SavedRun(saving.store.url(step: 3)).state
        #expect(state.progress.skippedSteps == 0 && state.randomStates["cpu"] == poison.randomState.map { Data($0) })
    }

    /// Where memory runs out in the optimizer, it may have changed some parameters and not others.
    @Test func aBrokenUpdateIsNeitherTriedAgainNorSaved() throws {
        let (saving, events) = (try saving("run"), Recorder())
        let loop = try TinyRun.loop(observers: [events], saving: saving) {
            arguments(&$0)
            $0.evaluationStrategy = .no
        }
        loop.optimizerStep.optimizer = BreakingOptimizer(loop.optimizerStep.optimizer, after: 3)
        let error = #expect(throws: TrainingError.self) { try loop.run(model: "tiny") }
        #expect(error?.code == .updateFailed && error?.settings == [.resumption])
        #expect(events.steps.count == 3 && saving.store.steps == [2])
    }

    /// A checkpoint that cannot be resumed leaves everything where it was.
    @Test func aRefusedResumeSetsNothingAside() throws {
        let saving = try saving("run")
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        let steps = saving.store.steps
        // Whole by its manifest, but of an adapter with other names.
        let store = saving.store.url(step: 4)
        try NamedValues([("other", Tensor.zeros([2]))]).write(to: store.appending(path: LoRAFiles.weightsName))
        let manifest = try CheckpointStore.encoder.encode(CheckpointManifest(of: store))
        try manifest.write(to: store.appending(path: CheckpointManifest.name))
        #expect(throws: (any Error).self) {
            try TinyRun.loop(observers: [], saving: saving, arguments).resume(from: store)
        }
        #expect(saving.store.steps == steps)
    }

    @Test func aReplacementThatWasCutLeavesTheCheckpointThatItReplaced() throws {
        let saving = try saving("run")
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        let newest = saving.store.url(step: 12)
        let replaced = saving.store.folder.appending(path: ".checkpoint-12.replaced")
        try FileManager.default.moveItem(at: newest, to: replaced)
        #expect(saving.store.newest().url == newest)
        // Where the new one is there, the old one goes.
        try FileManager.default.copyItem(at: newest, to: replaced)
        #expect(saving.store.newest().url == newest)
        #expect(!FileManager.default.fileExists(atPath: replaced.path))
        // Neither does it come back in the place of one that was set aside.
        try FileManager.default.copyItem(at: newest, to: replaced)
        try TinyRun.loop(observers: [], saving: saving, arguments).resume(from: saving.store.url(step: 10))
        #expect(saving.store.newest().url == saving.store.url(step: 10))
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        #expect(!FileManager.default.fileExists(atPath: replaced.path))
    }

    @Test func aCheckpointThatFailedIsTriedAgainAtTheEnd() throws {
        let obstacle = folder.url.appending(path: "run")
        try Data("x".utf8).write(to: obstacle)
        let (saving, events) = (try saving("run"), Recorder())
        let loop = try TinyRun.loop(
            observers: [events, Unblocker(obstacle)], saving: saving, stopAfter: (events, 2)
        ) {
            arguments(&$0)
            $0.evaluationStrategy = .no
        }
        #expect(try loop.run(model: "tiny").reason == .interrupted)
        #expect(saving.store.steps == [2])
    }

    @Test func otherHeldOutExamplesAreRefusedWhereTheCheckpointTellsThem() throws {
        let saving = try saving("run")
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        let checkpoint = saving.store.url(step: 4)
        let events = Recorder()
        let loop = { try TinyRun.loop(evaluation: 3, observers: [events], saving: saving, self.arguments) }
        let error = #expect(throws: TrainingError.self) { try loop().resume(from: checkpoint) }
        #expect(error?.code == .cannotResume && error?.message.contains("data (held out)") == true)
        // One that was written before they were told.
        let file = checkpoint.appending(path: RunState.name)
        var state = try CheckpointStore.decoder.decode(RunState.self, from: Data(contentsOf: file))
        state.settings[SavedRun.evaluationKey] = nil
        try CheckpointStore.encoder.encode(state).write(to: file)
        let manifest = checkpoint.appending(path: CheckpointManifest.name)
        try CheckpointStore.encoder.encode(CheckpointManifest(of: checkpoint)).write(to: manifest)
        try loop().resume(from: checkpoint)
        #expect(events.all.contains { if case .notice(let text) = $0 { text.contains("held-out") } else { false } })
    }

    @Test func aFolderThatCannotBeWrittenHarmsNothing() throws {
        // A file stands where the folder should be.
        try Data("x".utf8).write(to: folder.url.appending(path: "run"))
        let events = Recorder()
        let outcome = try TinyRun.loop(observers: [events], saving: saving("run"), arguments).run(model: "tiny")
        #expect(outcome.reason == .completed)
        let failures = events.all.compactMap {
            if case .checkpointFailed(.regular, let step, _) = $0 { step } else { nil }
        }
        #expect(failures == [2, 4, 6, 8, 10, 12])
    }

    @Test func whatAKilledProcessLeftIsNoCheckpointAndIsRemoved() throws {
        let saving = try saving("run")
        let remains = saving.store.folder.appending(path: ".checkpoint-2.partial")
        try FileManager.default.createDirectory(at: remains, withIntermediateDirectories: true)
        #expect(saving.store.newest().url == nil)
        try TinyRun.loop(observers: [], saving: saving, arguments).run(model: "tiny")
        #expect(!FileManager.default.fileExists(atPath: remains.path))
    }
}

/// Runs out of memory after so many steps.
private final class BreakingOptimizer: Optimizer {
    private let optimizer: any Optimizer
    private var left: Int

    init(_ optimizer: any Optimizer, after steps: Int) {
        self.optimizer = optimizer
        left = steps
    }

    func step(learningRate: Double) throws {
        guard left > 0 else { throw TorchError(.outOfMemory, at: "test", "none") }
        left -= 1
        try optimizer.step(learningRate: learningRate)
    }

    var state: [(name: String, tensor: Tensor)] { optimizer.state }
}

/// Makes the model's next loss no number, and keeps the random numbers that the next step begins with.
private final class Poison: RunObserver {
    private let model: Decoder
    private let step: Int
    private(set) var randomState: [UInt8]?

    init(_ model: Decoder, after step: Int) {
        self.model = model
        self.step = step
    }

    func observe(_ event: RunEvent) throws {
        guard case .step(let metrics) = event, metrics.step == step else { return }
        randomState = try RandomGenerator.state()
        let poisoned = model.trainedParameters[0].tensor
        try withoutGradient { _ = try poisoned.copy_(Tensor.full(poisoned.shape, .nan)) }
    }
}

/// Removes what stands in the way of a checkpoint when the first has failed.
private final class Unblocker: RunObserver {
    private let obstacle: URL

    init(_ obstacle: URL) { self.obstacle = obstacle }

    func observe(_ event: RunEvent) throws {
        if case .checkpointFailed = event { try FileManager.default.removeItem(at: obstacle) }
    }
}

/// A checkpoint that Hugging Face's Trainer wrote (`Tests/Reference/make_adapters.py`).
@Suite(.drawsRandomNumbers) struct ForeignCheckpointTests {
    private let checkpoint = Fixtures.url("adapters/trainer/checkpoint-3")

    private func loop(_ folder: URL, observers: [any RunObserver], totalSteps: Int = 6, rank: Int = 4) throws
        -> TrainingLoop
    {
        let model = try ModelFiles(Fixtures.url("models/llama-untied")).load(dtype: .float32)
        let settings = LoRASettings(rank: rank, alpha: 8, dropout: 0, targets: .names(["q_proj", "v_proj"]))
        try model.attachLoRA(settings)
        return try TinyRun.loop(
            model: model, observers: observers,
            saving: RunSaving(
                store: CheckpointStore(folder), form: .adapter(settings, baseModel: "tiny"), settings: [:])
        ) {
            $0.maxSteps = totalSteps
            $0.evaluationStrategy = .no
        }
    }

    @Test func itIsGoneOnFromAndWhatItLacksIsSaid() throws {
        let (folder, events) = (try TemporaryFolder(), Recorder())
        let loop = try loop(folder.url, observers: [events])
        try loop.resume(from: checkpoint)
        try loop.run(model: "tiny")
        #expect(events.steps.map(\.step) == [4, 5, 6])
        #expect(
            events.all.contains {
                if case .warning(let text) = $0 { text.contains("optimizer's moments") } else { false }
            })
        let state = try CheckpointStore.decoder.decode(
            TrainerState.self, from: Data(contentsOf: folder.url.appending(path: "checkpoint-6/\(TrainerState.name)")))
        #expect(state.logHistory.map(\.step) == [1, 2, 3, 6])
        #expect(abs(try #require(state.logHistory[0].loss) - 5.770725250244141) < 1e-12)
    }

    /// `--resume auto` finds it, with the losses that Python writes where they were no numbers.
    @Test func itIsTheNewestOfItsFolder() throws {
        let folder = try TemporaryFolder()
        let copy = folder.url.appending(path: "checkpoint-3")
        try FileManager.default.copyItem(at: checkpoint, to: copy)
        let file = copy.appending(path: TrainerState.name)
        let text = try String(contentsOf: file, encoding: .utf8)
        let unmeasured = text.replacing(/"loss": [0-9.]+/, with: "\"loss\": NaN", maxReplacements: 1)
        #expect(unmeasured != text)
        try Data(unmeasured.utf8).write(to: file)
        let store = CheckpointStore(folder.url)
        #expect(store.newest().url == copy && store.progress?.step == 3)
        let loop = try loop(folder.url, observers: [])
        try loop.resume(from: copy)
        #expect(loop.stepsDone == 3)
    }

    /// What PEFT trained and the run does not name would be lost without a word.
    @Test func whatTheRunDoesNotTrainIsRefused() throws {
        func refusal(
            _ change: (inout [String: Any]) -> Void = { _ in }, extra: String? = nil, allowsChanges: Bool = false
        ) throws -> String {
            let (folder, changed) = (try TemporaryFolder(), try TemporaryFolder())
            let copy = changed.url.appending(path: "checkpoint-3")
            try FileManager.default.copyItem(at: checkpoint, to: copy)
            let file = copy.appending(path: LoRAFiles.configurationName)
            var settings = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            change(&settings)
            try JSONSerialization.data(withJSONObject: settings).write(to: file)
            if let extra {
                let url = copy.appending(path: LoRAFiles.weightsName)
                let source = try SafetensorsFile(contentsOf: url)
                let entries = source.weights.map { SafetensorsWriter.Entry($0.name, .float32, $0.shape) }
                let writer = try SafetensorsWriter(to: url, tensors: entries + [.init(extra, .float32, [2])])
                for entry in entries { try writer.write(entry.name, source.elements(entry.name, as: Float.self)) }
                try writer.write(extra, [1, 2] as [Float])
                try writer.finish(synchronize: false)
            }
            let error = #expect(throws: (any Error).self) {
                try loop(folder.url, observers: []).resume(from: copy, allowsChanges: allowsChanges)
            }
            return error.map { "\($0)" } ?? ""
        }
        let pattern = try refusal { $0["alpha_pattern"] = ["q_proj": 64] }
        #expect(pattern.contains("alpha_pattern was {q_proj: 64.0}, is now {}"), "\(pattern)")
        #expect(try refusal { $0["bias"] = "all" }.contains("\"bias\": \"all\""))
        #expect(try refusal { $0["init_lora_weights"] = "pissa" }.contains("path_initial_model"))
        for name in ["model.layers.0.self_attn.o_proj.lora_A.weight", "model.norm.weight"] {
            let error = try refusal(extra: "base_model.model.\(name)", allowsChanges: true)
            #expect(error.contains(name) && error.contains("other adapters"), "\(error)")
        }
    }

    @Test func anotherRunIsRefused() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: TrainingError.self) {
            try loop(folder.url, observers: [], totalSteps: 9, rank: 2).resume(from: checkpoint)
        }
        #expect(error?.code == .cannotResume)
        #expect(
            error?.message.contains("r was 4, is now 2") == true && error?.message.contains("was 6, is now 9") == true)
    }
}

extension ExampleSides.Sides {
    /// All examples, those that are trained on first.
    fileprivate var contents: [[Example]] {
        [(0..<training.count).compactMap { try? training.example(at: $0) }, evaluation]
    }
}
