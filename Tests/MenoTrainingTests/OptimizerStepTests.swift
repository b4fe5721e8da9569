import Foundation
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
        let folder = Fixtures.url("models/\(name)")
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let expected = try SafetensorsFile(contentsOf: folder.appending(path: "expected.safetensors"))
        let model = try ModelFiles(folder).load(dtype: .float32)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        let step = try OptimizerStep(model: model, options: .init(weightDecay: 0.01), maxGradientNorm: 1)
        let schedule = LearningRateSchedule(peak: 2e-3, course: .cosine, warmupSteps: 1, totalSteps: 8)
        for (index, reference) in values.steps.enumerated() {
            let rate = schedule.rate(atStep: index)
            #expect(abs(rate - reference.learningRate) <= 1e-12)
            let batch = Array(values.examples[index * 8..<index * 8 + 8])
            let result = try step.run(passes(batch, size: examplesPerPass), learningRate: rate)
            #expect(abs(result.loss - reference.loss) < 1e-4 * reference.loss, "step \(index)")
            #expect(abs(result.gradientNorm - reference.gradientNorm) < 1e-4 * reference.gradientNorm, "step \(index)")
        }
        for parameter in model.trainedParameters {
            let final = try expected.elements("final.\(parameter.name)", as: Float.self)
            #expect(try relativeError(parameter.tensor.detached().array(), final) < 1e-3, "\(parameter.name)")
        }
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
