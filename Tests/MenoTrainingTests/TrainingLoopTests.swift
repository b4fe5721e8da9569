import Foundation
import MenoData
import MenoMetrics
import MenoModels
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// With a tiny random model that learns to repeat one sequence.
@Suite(.drawsRandomNumbers) struct TrainingLoopTests {
    @Test func itLearnsAndTellsWhatHappens() throws {
        let events = Recorder()
        let outcome = try TinyRun.loop(observers: [events]).run(model: "tiny")
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
        #expect(description.loggingSteps == 10)
        #expect(description.labelEntropy == (try TinyRun.examples(10).labelEntropy(at: 0..<10)))
        #expect(description.trainedParameters > 0 && description.trainedParameters < description.totalParameters)
    }

    @Test func theSameSeedGivesTheSameRunAndAnotherOrderAnother() throws {
        let run = { (shuffles: Bool) in
            let events = Recorder()
            try TinyRun.loop(observers: [events]) { $0.shuffles = shuffles }.run(model: "tiny")
            return events.steps.map(\.loss)
        }
        let first = try run(true)
        #expect(try run(true) == first)
        #expect(try run(false) != first)
    }

    @Test func passesOfAnySizeGiveTheSameRun() throws {
        let run = { (tokens: Int) in
            let events = Recorder()
            try TinyRun.loop(observers: [events]) { $0.tokensPerPass = tokens }.run(model: "tiny")
            return events
        }
        let (small, large) = (try run(1), try run(4096))
        #expect(small.steps.count == 12 && large.steps.count == 12)
        #expect(small.evaluations.count == 4 && large.evaluations.count == 4)
        for (a, b) in zip(small.steps, large.steps) { #expect(abs(a.loss - b.loss) < 1e-4 * b.loss) }
        for (a, b) in zip(small.evaluations, large.evaluations) {
            #expect(abs(a.loss - b.loss) < 1e-4 * b.loss)
            #expect(a.tokens == b.tokens)
        }
    }

    @Test func anObserverThatFailsHarmsNothing() throws {
        let (alone, beside) = (Recorder(), Recorder())
        try TinyRun.loop(observers: [alone]).run(model: "tiny")
        try TinyRun.loop(observers: [Broken(), beside]).run(model: "tiny")
        #expect(alone.steps.map(\.loss) == beside.steps.map(\.loss))
    }

    @Test func theStartTellsWhatALaterJudgementNeeds() throws {
        let description = { (change: @escaping (inout TrainingArguments) -> Void) throws -> RunDescription? in
            let events = Recorder()
            try TinyRun.loop(observers: [events]) {
                $0.maxSteps = 4
                change(&$0)
            }.run(model: "tiny")
            guard case .started(let description) = events.all.first else { return nil }
            return description
        }
        #expect(try description { $0.loggingStrategy = .epoch }?.loggingSteps == 3)
        // One line, at the end.
        #expect(try description { $0.loggingStrategy = .no }?.loggingSteps == 4)
        // The loss is another then.
        #expect(try description { $0.labelSmoothing = 0.1 }?.labelEntropy == nil)
    }

    @Test func aRunStopsAfterTheStepInWhichItIsAskedTo() throws {
        let events = Recorder()
        let outcome = try TinyRun.loop(observers: [events], stopAfter: (events, 4)) {
            $0.evaluationStrategy = .no
        }.run(model: "tiny")
        #expect(outcome.reason == .interrupted && outcome.step == 4)
        #expect(events.steps.count == 4)
    }

    @Test func aLossThatIsNotFiniteNamesItsRecords() throws {
        let events = Recorder()
        let model = try TinyRun.model()
        let poisoned = try #require(model.trainedParameters.first).tensor
        try withoutGradient { _ = try poisoned.copy_(Tensor.full(poisoned.shape, .nan)) }
        let error = #expect(throws: TrainingError.self) {
            try TinyRun.loop(model: model, observers: [events]) {
                $0.evaluatesOnStart = false
                $0.shuffles = false
                $0.maxSkippedSteps = 2
            }.run(model: "tiny")
        }
        #expect(error?.code == .notFinite)
        #expect(error?.message.contains("line 4, line 5, line 6, line 7") == true)
        let skipped = events.all.compactMap { if case .stepSkipped(_, _, let records) = $0 { records } else { nil } }
        #expect(skipped.map(\.first) == ["line 0", "line 4"] && events.steps.isEmpty)
        guard case .finished(let outcome) = events.all.last else {
            Issue.record("a failed run ends with its event")
            return
        }
        #expect(outcome.reason == .failed)
    }

    @Test func evaluationRowsBelongToTheirExamples() throws {
        let model = try TinyRun.model()
        let examples = TinyRun.examples(3)
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

    @Test func anEvaluationThatRunsOutOfMemoryGoesOnInSmallerPasses() throws {
        let model = try TinyRun.model()
        let examples = TinyRun.examples(9)
        let expected = try Evaluator(model, tokensPerPass: 48).evaluate(examples)
        /// Memory for so many tokens, from the second pass on.
        func limited(to tokens: Int) -> Evaluator {
            Evaluator(model, objective: ScarceMemory(tokens: tokens), tokensPerPass: 48)
        }
        var (limits, done): ([Int], [Int]) = ([], [])
        let divided = try limited(to: 20).evaluate(examples) {
            done.append($0)
            return true
        } onShortage: { tokens, message in
            limits.append(tokens)
            #expect(message.contains("out of memory in a pass of"))
        }
        #expect(limits.first.map { $0 <= 24 } == true && limits == limits.sorted(by: >))
        #expect(done.last == 9 && done == done.sorted() && Set(done).count == done.count)
        for (row, alone) in zip(divided.rows, expected.rows) {
            #expect(row.tokens == alone.tokens && row.completionTokens == alone.completionTokens)
            #expect(abs(row.negativeLogLikelihood - alone.negativeLogLikelihood) < 1e-4)
        }
        let error = #expect(throws: TrainingError.self) { try limited(to: 8).evaluate(examples) }
        #expect(error?.code == .outOfMemory && error?.description.contains("12 tokens") == true)
    }

    @Test func examplesBeyondTheModelsContextAreToldOf() throws {
        let model = try TinyRun.model()
        let ids = (0..<model.configuration.maximumPositions + 1).map { Int32(5 + $0 % 20) }
        let long = Example(
            ids: ids, labels: [Example.ignoredLabel] + ids.dropFirst(), isCompletion: ids.map { _ in true },
            place: "line 1")
        let events = Recorder()
        var arguments = TrainingArguments()
        arguments.maxSteps = 1
        arguments.warmupRatio = 0
        try TrainingLoop(
            model: model, training: TinyRun.examples(1), evaluation: [long], arguments: arguments, observers: [events]
        ).run(model: "tiny")
        let warnings = events.all.compactMap { if case .warning(let text) = $0 { text } else { nil } }
        #expect(warnings.contains { $0.contains("129 tokens") && $0.contains("128 tokens or fewer") }, "\(warnings)")
    }

    @Test func countsThatNoRunCanHaveAreRefused() {
        let changes: [(inout TrainingArguments) -> Void] = [
            { $0.epochs = 1e300 }, { $0.epochs = .nan }, { $0.batchSize = .max }, { $0.stepsAhead = .max },
            { $0.maxSteps = .max }, { $0.evaluationSteps = 0 }, { $0.saveSteps = .share(1) },
        ]
        for change in changes {
            let error = #expect(throws: TrainingError.self) { try TinyRun.loop(observers: [], change) }
            #expect(error?.code == .badArguments)
        }
    }

    @Test func epochsAndWarmUpAreCountedAsTransformersCountsThem() {
        var arguments = TrainingArguments()
        arguments.epochs = 30
        let batches = arguments.batches(of: TinyRun.examples(1600))
        #expect(batches.stepsPerEpoch == 100)
        #expect(arguments.totalSteps(batches) == 3000)
        #expect(arguments.learningRates(totalSteps: 3000).warmupSteps == 300)
        arguments.maxSteps = 7
        #expect(arguments.totalSteps(batches) == 7)
        #expect(arguments.learningRates(totalSteps: 7).warmupSteps == 1)
        arguments.warmupSteps = 3
        #expect(arguments.learningRates(totalSteps: 7).warmupSteps == 3)
    }

    /// `math.ceil(max_steps * share)`, in floating point.
    @Test func sharesOfStepsAreCountedAsTransformersCountsThem() {
        for (total, share, steps) in [(30, 0.1, 3), (100, 0.07, 8), (3, 0.1, 1), (100, 0.29, 29), (12, 0.25, 3)] {
            #expect(StepCount.share(share).steps(of: total) == steps, "\(share) of \(total)")
        }
        var arguments = TrainingArguments()
        arguments.epochs = 30
        let batches = arguments.batches(of: TinyRun.examples(1600))
        arguments.evaluationSteps = .share(0.25)
        arguments.saveSteps = .share(0.001)
        arguments.loggingSteps = .share(0.0101)
        arguments.warmupSteps = .share(0.0501)
        #expect(arguments.evaluationInterval(batches) == 750 && arguments.saveInterval(batches) == 3)
        #expect(arguments.loggingInterval(batches) == 31)
        #expect(arguments.learningRates(totalSteps: 3000).warmupSteps == 151)
        arguments.evaluationSteps = nil
        #expect(arguments.evaluationInterval(batches) == 31)
    }

    @Test func aRunThatCanChangeNothingDoesNotStart() throws {
        let changes: [(inout TrainingArguments) -> Void] = [
            { $0.learningRate = 0 }, { $0.maxSteps = 1 }, { $0.warmupRatio = 1 },
            {
                $0.maxSteps = 3
                $0.warmupSteps = 3
            },
        ]
        for change in changes {
            let events = Recorder()
            let loop = try TinyRun.loop(observers: [events], change)
            for body in [{ _ = try loop.run(model: "tiny") }, { _ = try loop.forecast() }] {
                let error = #expect(throws: TrainingError.self) { try body() }
                #expect(error?.code == .badArguments && error?.message.contains("learning rate") == true)
            }
            #expect(events.all.isEmpty)
        }
    }

    /// 11 examples in micro-batches of 2: Trainer's loader has 5, and an epoch 3 steps, the last of one micro-batch.
    @Test func examplesThatFillNoMicroBatchAreLeftOut() throws {
        var arguments = TrainingArguments()
        (arguments.batchSize, arguments.gradientAccumulationSteps, arguments.dropsLast) = (2, 2, true)
        let batches = arguments.batches(of: TinyRun.examples(11))
        #expect(batches.stepsPerEpoch == 3)
        let taken = (0..<6).map(batches.examples)
        #expect(taken.map(\.count) == [4, 4, 2, 4, 4, 2])
        #expect(Set(taken[..<3].joined()).count == 10 && Set(taken.joined()).count == 11)
        let error = #expect(throws: TrainingError.self) {
            try TinyRun.loop(observers: []) {
                $0.batchSize = 11
                $0.dropsLast = true
            }
        }
        #expect(error?.code == .nothingToTrain)
    }
}

/// Supervised fine-tuning where memory suffices for so many tokens, from the second pass on.
private final class ScarceMemory: Objective {
    private let tokens: Int
    private let supervised = SupervisedObjective()
    private var passes = 0

    init(tokens: Int) { self.tokens = tokens }

    func weight(of pass: Pass) -> Int { supervised.weight(of: pass) }

    func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
        try supervised.loss(of: pass, in: step, by: model)
    }

    func evaluate(_ part: PassPlan.Part, of examples: [Example], by model: Decoder) throws -> [Evaluation.Row] {
        passes += 1
        if passes > 1, part.pass.inputIDs.count > tokens {
            throw TorchError(.outOfMemory, at: "test", "none")
        }
        return try supervised.evaluate(part, of: examples, by: model)
    }
}
