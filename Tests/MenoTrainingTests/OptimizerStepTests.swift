import Foundation
import MenoData
import MenoFormats
import MenoModels
import MenoTensor
import MenoTesting
import MenoTraining
import Testing

/// Against eight steps of transformers' `Trainer` with PEFT (`Tests/Reference/make_models.py`).
@Suite(.drawsRandomNumbers) struct OptimizerStepTests {
    static let names = ["gemma3-tiny", "gemma2-tiny", "llama-tiny", "llama-untied"]

    struct Step: Decodable {
        var loss: Double
        var gradientNorm: Double
        var learningRate: Double
    }

    struct Values: Decodable {
        var examples: [[Int32]]
        var steps: [Step]
    }

    /// Eight examples a step, in passes of 1, 3 or 8.
    @Test(arguments: names, [1, 3, 8]) func eightStepsEqualTrainer(_ name: String, examplesPerPass: Int) throws {
        try compareEightSteps(name, examplesPerPass: examplesPerPass)
    }

    @Test(arguments: Fixtures.families) func eightStepsOfEveryFamilyEqualTrainer(_ name: String) throws {
        try compareEightSteps(name, examplesPerPass: 3)
    }

    private func compareEightSteps(_ name: String, examplesPerPass: Int) throws {
        let folder = Fixtures.url("models/\(name)")
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
        let model = try ModelFiles(folder).load(dtype: .float32)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        let isBalanced = model.configuration.routerLossCoefficient != nil
        // The micro-batches of Trainer.
        if isBalanced { model.microBatchSize = 2 }
        let step = try OptimizerStep(model: model, options: .init(weightDecay: 0.01), maxGradientNorm: 1)
        let schedule = LearningRateSchedule(peak: 2e-3, course: .cosine, warmupSteps: 1, totalSteps: 8)
        for (index, reference) in values.steps.enumerated() {
            let rate = schedule.rate(atStep: index)
            #expect(abs(rate - reference.learningRate) <= 1e-12)
            let batch = Array(values.examples[index * 8..<index * 8 + 8])
            let size = isBalanced ? 8 : examplesPerPass
            let result = try step.run(passes(batch, size: size), learningRate: rate)
            #expect(abs(result.loss - reference.loss) < 1e-4 * reference.loss, "step \(index)")
            #expect(abs(result.gradientNorm - reference.gradientNorm) < 1e-4 * reference.gradientNorm, "step \(index)")
        }
        for parameter in model.trainedParameters {
            let final = try expected.elements("final.\(parameter.name)", as: Float.self)
            #expect(try relativeError(parameter.tensor.detached().array(), final) < 1e-3, "\(parameter.name)")
        }
    }

    /// Examples with the same instructions before them: what lies there once gives the step of what each has for itself.
    @Test(arguments: names, [(false, 0.0), (false, 0.1), (true, 0)])
    func aCommonBeginningChangesNothing(_ name: String, _ kind: (trainsAll: Bool, smoothing: Double)) throws {
        let beginning: [Int32] = [2, 11, 29, 7, 45, 8, 61, 3, 30]
        let parts: [[Int32]] = [[7, 9, 12], [9, 33, 40, 11, 6], [9, 50], [14, 5, 8, 27], [14, 5, 8, 19, 22, 4]]
        let examples = parts.map { own in
            let ids = beginning + own
            var labels = ids
            for index in 2..<5 { labels[index] = Example.ignoredLabel }
            return Example(ids: ids, labels: labels, isCompletion: ids.map { _ in true }, place: "")
        }
        func run(sharing: Bool) throws -> (result: StepResult, computed: Int, parameters: [[Float]]) {
            let folder = Fixtures.url("models/\(name)")
            let model = try ModelFiles(folder).load(dtype: .float32)
            if kind.trainsAll {
                try model.trainAllParameters()
            } else {
                try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
            }
            #expect(model.sharesBeginnings(training: true))
            let step = try OptimizerStep(
                model: model, objective: SupervisedObjective(labelSmoothing: kind.smoothing), options: .init(),
                maxGradientNorm: nil)
            let passes = PassPlan(examples, tokens: 30, sharing: sharing).parts.map(\.pass)
            let result = try step.run(passes, learningRate: 1e-3)
            return (
                result, passes.reduce(0) { $0 + $1.inputIDs.count },
                try model.trainedParameters.map { try $0.tensor.detached().array() }
            )
        }
        let (apart, together) = (try run(sharing: false), try run(sharing: true))
        #expect(apart.computed == 65)
        #expect(together.computed == 29)
        #expect(together.result.tokenCount == apart.result.tokenCount)
        #expect(together.result.labelCount == apart.result.labelCount)
        #expect(abs(together.result.loss - apart.result.loss) < 1e-6 * apart.result.loss)
        #expect(abs(together.result.gradientNorm - apart.result.gradientNorm) < 1e-5 * apart.result.gradientNorm)
        for (one, other) in zip(together.parameters, apart.parameters) { #expect(relativeError(one, other) < 1e-4) }
    }

    @Test func aLossThatIsNotANumberChangesNothing() throws {
        let folder = Fixtures.url("models/llama-untied")
        let model = try ModelFiles(folder).load(dtype: .float32)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        let step = try OptimizerStep(model: model, options: .init())
        let poisoned = try #require(model.trainedParameters.first).tensor
        let healthy = try poisoned.detached().cloned()
        try withoutGradient { _ = try poisoned.copy_(Tensor.full(poisoned.shape, .nan)) }
        let others = try model.trainedParameters.dropFirst().map { try $0.tensor.detached().cloned() }
        let error = #expect(throws: TrainingError.self) {
            try step.run(passes([[5, 6, 7, 8]], size: 1), learningRate: 1e-3)
        }
        #expect(error?.code == .notFinite)
        for (parameter, before) in zip(model.trainedParameters.dropFirst(), others) {
            #expect(try parameter.tensor.detached().array(of: Float.self) == before.array(of: Float.self))
            #expect(try parameter.tensor.gradient() == nil)
        }
        try withoutGradient { _ = try poisoned.copy_(healthy) }
        #expect(try step.run(passes([[5, 6, 7, 8]], size: 1), learningRate: 1e-3).loss.isFinite)
    }

    @Test func aBatchWithoutLabelsIsRefused() throws {
        let folder = Fixtures.url("models/llama-untied")
        let model = try ModelFiles(folder).load(dtype: .float32)
        #expect(throws: TrainingError.self) { try OptimizerStep(model: model, options: .init()) }
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        let step = try OptimizerStep(model: model, options: .init())
        let pass = Pass(inputIDs: [5, 6], labels: [5, -100], layout: SequenceLayout(lengths: [2]))
        let error = #expect(throws: TrainingError.self) { try step.run([pass], learningRate: 1e-3) }
        #expect(error?.code == .nothingToTrain)
    }

    private func passes(_ examples: [[Int32]], size: Int) -> [Pass] {
        stride(from: 0, to: examples.count, by: size).map { start in
            let group = examples[start..<min(start + size, examples.count)]
            let ids = group.flatMap { $0 }
            return Pass(inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: group.map(\.count)))
        }
    }
}
