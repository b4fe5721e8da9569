import Foundation
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// What makes an optimizer step decides its result; how it is computed does not.
@Suite(.drawsRandomNumbers) struct BatchingTests {
    /// A run of steps of four examples of several lengths.
    private func run(
        _ model: Decoder? = nil, _ change: @escaping (inout TrainingArguments) -> Void
    ) throws -> [StepMetrics] {
        let events = Recorder()
        try loop(model ?? TinyRun.model(), observers: [events], change).run(model: "tiny")
        return events.steps
    }

    private func loop(
        _ model: Decoder, observers: [any RunObserver] = [], _ change: (inout TrainingArguments) -> Void
    ) throws -> TrainingLoop {
        var arguments = TrainingArguments()
        arguments.epochs = 2
        arguments.learningRate = 5e-3
        arguments.batchSize = 2
        arguments.gradientAccumulationSteps = 2
        arguments.evaluationStrategy = .no
        arguments.saveStrategy = .no
        change(&arguments)
        return try TrainingLoop(
            model: model, training: Self.examples, evaluation: [], arguments: arguments, observers: observers)
    }

    /// The tiny model with adapters that drop elements and already change something.
    private func dropping(usesDoRA: Bool) throws -> Decoder {
        let model = try ModelFiles(Fixtures.url("models/gemma3-tiny")).load(dtype: .float32)
        try RandomGenerator.seed(3)
        var settings = LoRASettings(rank: 4, alpha: 8, dropout: 0.3, targets: .allLinear)
        settings.usesDoRA = usesDoRA
        try model.attachLoRA(settings)
        for (_, adapter) in model.adapters { try adapter.up.tensor.detached().uniform_(-0.2, 0.2) }
        return model
    }

    /// Eleven, so that an epoch ends with a short step.
    private static let examples = (0..<11).map { index in
        let ids = (0..<(4 + index * 3 % 17)).map { Int32(5 + (index + $0) % 20) }
        return Example(
            ids: ids, labels: ids, isCompletion: ids.map { _ in true }, place: "line \(index)")
    }

    private func expectEqual(_ a: [StepMetrics], _ b: [StepMetrics]) {
        #expect(a.count == b.count)
        for (a, b) in zip(a, b) {
            #expect(abs(a.loss - b.loss) < 1e-5 * a.loss, "step \(a.step)")
            #expect(abs(a.gradientNorm - b.gradientNorm) < 1e-4 * a.gradientNorm, "step \(a.step)")
            #expect(a.learningRate == b.learningRate && a.labels == b.labels)
        }
    }

    @Test func microBatchesPassesAndCheckpointingChangeNothing() throws {
        let reference = try run { _ in }
        #expect(reference.count == 6 && reference[5].loss < reference[0].loss)
        for (size, accumulation) in [(1, 4), (4, 1)] {
            expectEqual(
                reference,
                try run {
                    $0.batchSize = size
                    $0.gradientAccumulationSteps = accumulation
                })
        }
        for tokens in [1, 20, 40, 4096] {
            for checkpointing in TrainingArguments.GradientCheckpointing.allCases {
                expectEqual(
                    reference,
                    try run {
                        $0.tokensPerPass = tokens
                        $0.gradientCheckpointing = checkpointing
                    })
            }
        }
    }

    /// What is dropped, and the noise, follow from step, example and layer, whatever pass the example is in.
    @Test(arguments: [false, true]) func divisionsDropTheSame(_ usesDoRA: Bool) throws {
        let steps = { (change: @escaping (inout TrainingArguments) -> Void) in
            try run(dropping(usesDoRA: usesDoRA)) {
                $0.embeddingNoise = 5
                change(&$0)
            }
        }
        let reference = try steps { $0.tokensPerPass = 4096 }
        #expect(try steps { $0.seed = 1 }[0].loss != reference[0].loss)
        for tokens in [1, 20, 40] {
            for checkpointing in [TrainingArguments.GradientCheckpointing.never, .always] {
                expectEqual(
                    reference,
                    try steps {
                        $0.tokensPerPass = tokens
                        $0.gradientCheckpointing = checkpointing
                    })
            }
        }
    }

    /// A step that is done again, in other passes, drops what it dropped the first time, and adds the same noise.
    @Test func aStepDoneAgainDropsTheSame() throws {
        let model = try dropping(usesDoRA: false)
        let loop = try loop(model) { $0.embeddingNoise = 5 }
        let results = try [4096, 20, 4096, 1].map { tokens in
            loop.progress.passLimits.training = tokens
            return try #require(try loop.attempt(2, learningRate: 0))
        }
        for result in results {
            #expect(abs(result.loss - results[0].loss) < 1e-6 * result.loss)
            #expect(abs(result.gradientNorm - results[0].gradientNorm) < 1e-5 * result.gradientNorm)
        }
        #expect(results[2] == results[0])
        #expect(try #require(try loop.attempt(1, learningRate: 0)).loss != results[0].loss)
    }

    @Test func preparingAheadChangesNothing() throws {
        let reference = try run { $0.stepsAhead = 0 }
        for depth in [1, 3, 100] {
            #expect(try run { $0.stepsAhead = depth }.map(\.loss) == reference.map(\.loss))
        }
    }

    @Test func groupingByLengthTakesEveryExampleOnce() {
        let lengths = (0..<103).map { 5 + $0 * 37 % 91 }
        let plain = BatchSchedule(exampleCount: 103, examplesPerStep: 4, seed: 1, shuffles: true)
        var grouped = plain
        grouped.lengths = lengths
        let order = grouped.order(ofEpoch: 2)
        #expect(order.sorted() == Array(0..<103) && order != grouped.order(ofEpoch: 3))
        #expect(lengths[order[0]] == lengths.max())
        let spread = { (schedule: BatchSchedule) in
            (0..<schedule.stepsPerEpoch).reduce(0) { sum, step in
                let chosen = schedule.examples(ofStep: step).map { lengths[$0] }
                return sum + (chosen.max() ?? 0) - (chosen.min() ?? 0)
            }
        }
        #expect(2 * spread(grouped) < spread(plain))
    }

    @Test func smoothingAndNoiseChangeTheTrainingLoss() throws {
        let plain = try run { _ in }
        let smoothed = try run { $0.labelSmoothing = 0.2 }
        let noisy = try run { $0.embeddingNoise = 5 }
        #expect(abs(plain[0].loss - smoothed[0].loss) > 1e-4)
        #expect(abs(plain[0].loss - noisy[0].loss) > 1e-4)
        // Noise is drawn from the run's seed.
        #expect(try run { $0.embeddingNoise = 5 }.map(\.loss) == noisy.map(\.loss))
    }

    @Test(arguments: OptimizerOptions.Kind.allCases) func everyOptimizerLearns(_ kind: OptimizerOptions.Kind) throws {
        let steps = try run {
            $0.optimizer = OptimizerOptions(kind: kind)
            $0.epochs = 8
            $0.learningRate = kind == .sgd ? 0.1 : kind == .lion ? 1e-3 : 5e-3
        }
        #expect(steps.last!.loss < steps[0].loss - 0.1)
    }

    @Test func theLogHasItsLinesByStepsOrEpochs() throws {
        let saving = { (folder: URL) in
            RunSaving(
                store: CheckpointStore(folder),
                form: .adapter(LoRASettings(rank: 4, alpha: 8, dropout: 0, targets: .allLinear), baseModel: "tiny"),
                settings: [:])
        }
        let lines = { (change: @escaping (inout TrainingArguments) -> Void) in
            let folder = try TemporaryFolder()
            try TinyRun.loop(observers: [], saving: saving(folder.url)) {
                $0.evaluatesOnStart = false
                $0.evaluationStrategy = .no
                change(&$0)
            }.run(model: "tiny")
            let state = try CheckpointStore.decoder.decode(
                TrainerState.self,
                from: Data(contentsOf: folder.url.appending(path: "checkpoint-12/\(TrainerState.name)")))
            return state.logHistory.map(\.step)
        }
        #expect(try lines { $0.loggingSteps = 5 } == [5, 10, 12])
        #expect(
            try lines {
                $0.loggingSteps = 5
                $0.logsFirstStep = true
            } == [1, 5, 10, 12])
        #expect(try lines { $0.loggingStrategy = .epoch } == [3, 6, 9, 12])
        #expect(try lines { $0.loggingStrategy = .no } == [])
    }
}
