import Foundation
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import MenoTraining
import Testing

/// With a tiny random model that learns to repeat one sequence.
@Suite(.serialized) struct TrainingLoopTests {
    @Test func itLearnsAndTellsWhatHappens() throws {
        let events = Recorder()
        let outcome = try loop(observers: [events]).run(model: "tiny")
        #expect(outcome.reason == .completed && outcome.step == 12)
        // 10 examples in steps of 4: three steps an epoch, the last of them short.
        #expect(events.steps.map(\.step) == Array(1...12))
        let epochs: [Double] = events.steps.map(\.epoch)
        #expect(Array(epochs.prefix(3)) == [Double(1) / 3, Double(2) / 3, 1])
        #expect(events.steps[2].labels == events.steps[0].labels / 2)
        #expect(events.evaluations.map(\.step) == [0, 5, 10, 12])
        let losses = events.evaluations.map(\.loss)
        #expect(losses.last! < losses[0] - 0.05)
        #expect(abs(events.evaluations[0].perplexity - exp(losses[0])) < 1e-9)
        guard case .started(let description) = events.all.first, case .finished = events.all.last else {
            Issue.record("a run begins and ends with its own events")
            return
        }
        #expect(description.totalSteps == 12 && description.stepsPerEpoch == 3)
        #expect(description.trainedParameters > 0 && description.trainedParameters < description.totalParameters)
    }

    @Test func theSameSeedGivesTheSameRunAndAnotherOrderAnother() throws {
        let run = { (shuffles: Bool) in
            let events = Recorder()
            try loop(observers: [events]) { $0.shuffles = shuffles }.run(model: "tiny")
            return events.steps.map(\.loss)
        }
        let first = try run(true)
        #expect(try run(true) == first)
        #expect(try run(false) != first)
    }

    @Test func passesOfAnySizeGiveTheSameRun() throws {
        let run = { (tokens: Int) in
            let events = Recorder()
            try loop(observers: [events]) { $0.tokensPerPass = tokens }.run(model: "tiny")
            return events
        }
        let (small, large) = (try run(1), try run(4096))
        for (a, b) in zip(small.steps, large.steps) { #expect(abs(a.loss - b.loss) < 1e-4 * b.loss) }
        for (a, b) in zip(small.evaluations, large.evaluations) {
            #expect(abs(a.loss - b.loss) < 1e-4 * b.loss)
            #expect(a.tokens == b.tokens)
        }
    }

    @Test func anObserverThatFailsHarmsNothing() throws {
        let (alone, beside) = (Recorder(), Recorder())
        try loop(observers: [alone]).run(model: "tiny")
        try loop(observers: [Broken(), beside]).run(model: "tiny")
        #expect(alone.steps.map(\.loss) == beside.steps.map(\.loss))
    }

    @Test func aRunStopsAfterTheStepInWhichItIsAskedTo() throws {
        let events = Recorder()
        let outcome = try loop(observers: [events], stopAfter: (events, 4)) {
            $0.evaluationStrategy = .no
        }.run(model: "tiny")
        #expect(outcome.reason == .interrupted && outcome.step == 4)
        #expect(events.steps.count == 4)
    }

    @Test func aLossThatIsNotFiniteNamesItsRecords() throws {
        let events = Recorder()
        let model = try Self.model()
        let poisoned = try #require(model.trainedParameters.first).tensor
        try withoutGradient { _ = try poisoned.copy_(Tensor.full(poisoned.shape, .nan)) }
        let error = #expect(throws: TrainingError.self) {
            try loop(model: model, observers: [events]) {
                $0.evaluatesOnStart = false
                $0.shuffles = false
            }.run(model: "tiny")
        }
        #expect(error?.code == .notFinite)
        #expect(error?.message.contains("line 0, line 1, line 2, line 3") == true)
        guard case .finished(let outcome) = events.all.last else {
            Issue.record("a failed run ends with its event")
            return
        }
        #expect(outcome.reason == .failed)
    }

    @Test func evaluationRowsBelongToTheirExamples() throws {
        let model = try Self.model()
        let examples = Self.examples(3)
        let together = try Evaluator(model, tokensPerPass: 4096).evaluate(examples)
        for (row, example) in zip(together.rows, examples) {
            let alone = try Evaluator(model).evaluate([example])
            #expect(row.tokens == example.labelCount)
            #expect(row.completionTokens == example.isCompletion.dropFirst().count { $0 })
            #expect(abs(row.negativeLogLikelihood - alone.rows[0].negativeLogLikelihood) < 1e-4)
        }
        let sum = together.rows.reduce(0) { $0 + $1.negativeLogLikelihood }
        #expect(abs(together.loss - sum / Double(together.tokens)) < 1e-12)
        #expect(throws: TrainingError.self) { try Evaluator(model).evaluate(examples) { _ in false } }
    }

    @Test func epochsAndWarmUpAreCountedAsTransformersCountsThem() {
        var arguments = TrainingArguments()
        let batches = arguments.batches(exampleCount: 1600)
        #expect(batches.stepsPerEpoch == 100)
        #expect(arguments.totalSteps(batches) == 3000)
        #expect(arguments.learningRates(totalSteps: 3000).warmupSteps == 300)
        arguments.maxSteps = 7
        #expect(arguments.totalSteps(batches) == 7)
        #expect(arguments.learningRates(totalSteps: 7).warmupSteps == 1)
        arguments.warmupSteps = 3
        #expect(arguments.learningRates(totalSteps: 7).warmupSteps == 3)
    }

    // MARK: Parts

    private static func model() throws -> Decoder {
        let folder = Fixtures.url("models/gemma3-tiny")
        let model = try ModelFiles(folder).load(dtype: .float32)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        return model
    }

    /// Sequences that count upwards, the second half of each a completion.
    private static func examples(_ count: Int) -> [Example] {
        (0..<count).map { index in
            let ids = (0..<12).map { Int32(5 + (index + $0) % 20) }
            return Example(
                ids: ids, labels: [Example.ignoredLabel] + ids.dropFirst(), isCompletion: (0..<12).map { $0 >= 6 },
                place: "line \(index)")
        }
    }

    private func loop(
        model: Decoder? = nil, observers: [any RunObserver], stopAfter: (events: Recorder, steps: Int)? = nil,
        _ change: (inout TrainingArguments) -> Void = { _ in }
    ) throws -> TrainingLoop {
        var arguments = TrainingArguments()
        arguments.epochs = 4
        arguments.learningRate = 5e-3
        arguments.batchSize = 2
        arguments.gradientAccumulationSteps = 2
        arguments.evaluationSteps = 5
        arguments.evaluatesOnStart = true
        change(&arguments)
        return try TrainingLoop(
            model: model ?? Self.model(), training: Self.examples(10), evaluation: Self.examples(4),
            arguments: arguments, observers: observers,
            shouldStop: { stopAfter.map { $0.events.steps.count >= $0.steps } ?? false })
    }
}

private final class Recorder: RunObserver {
    private(set) var all: [RunEvent] = []
    var steps: [StepMetrics] { all.compactMap { if case .step(let metrics) = $0 { metrics } else { nil } } }
    var evaluations: [EvaluationMetrics] {
        all.compactMap { if case .evaluated(let metrics) = $0 { metrics } else { nil } }
    }

    func observe(_ event: RunEvent) { all.append(event) }
}

private struct Broken: RunObserver {
    struct Failure: Error {}
    func observe(_ event: RunEvent) throws { throw Failure() }
}
