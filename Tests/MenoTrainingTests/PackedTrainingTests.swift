import Foundation
import MenoData
import MenoFormats
import MenoModels
import MenoTensor
import MenoTesting
import Testing

@testable import MenoTraining

/// Training on weights that stay packed.
@Suite(.drawsRandomNumbers) struct PackedTrainingTests {
    struct Values: Decodable {
        var examples: [[Int32]]
        var dequantised: [OptimizerStepTests.Step]
        var quantised: [OptimizerStepTests.Step]?
    }

    /// Eight steps beside `Trainer` with PEFT on the same weights, dequantised, and beside it on bitsandbytes' own layers
    /// (`Tests/Reference/make_bitsandbytes_models.py`).
    @Test(arguments: ["nf4", "fp4", "int8"], [WeightForm.packed, .dense])
    func eightStepsEqualTrainer(_ name: String, _ form: WeightForm) throws {
        let folder = Fixtures.url("bitsandbytes/\(name)")
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: folder.appending(path: "expected.json")))
        let model = try ModelFiles(folder).load(dtype: .float32, form: form)
        try LoRAFiles.attach(folder.appending(path: "adapter"), to: model)
        let step = try OptimizerStep(model: model, options: .init(weightDecay: 0.01), maxGradientNorm: 1)
        let schedule = LearningRateSchedule(peak: 2e-3, course: .cosine, warmupSteps: 1, totalSteps: 8)
        #expect((values.quantised != nil) == (name != "int8"))
        for index in 0..<8 {
            let batch = Array(values.examples[index * 8..<index * 8 + 8])
            let result = try step.run([pass(batch)], learningRate: schedule.rate(atStep: index))
            for steps in [values.dequantised, values.quantised].compactMap({ $0 }) {
                let reference = steps[index]
                #expect(abs(result.loss - reference.loss) < 1e-5 * reference.loss, "step \(index)")
                #expect(
                    abs(result.gradientNorm - reference.gradientNorm) < 1e-5 * reference.gradientNorm, "step \(index)")
            }
        }
    }

    private func pass(_ batch: [[Int32]]) -> Pass {
        let ids = batch.flatMap { $0 }
        return Pass(inputIDs: ids, labels: ids, layout: SequenceLayout(lengths: batch.map(\.count)))
    }

    // MARK: Resuming

    /// With dropout, from a GGUF file and from a model of bitsandbytes.
    @Test(arguments: ["packed/llama-q8_0.gguf", "bitsandbytes/nf4"])
    func aResumedRunEndsWithTheBytesOfAnUnbrokenOne(_ name: String) throws {
        let folder = try TemporaryFolder()
        let settings = LoRASettings(rank: 2, alpha: 4, dropout: 0.2, targets: .allLinear)
        let model = {
            let model = try ModelFiles(Fixtures.url(name)).load(dtype: .bfloat16, form: .packed)
            try RandomGenerator.seed(5)
            try model.attachLoRA(settings)
            return model
        }
        let saving = { (name: String) in
            RunSaving(
                store: CheckpointStore(folder.url.appending(path: name)),
                form: .adapter(settings, baseModel: "tiny"), settings: ["model.weights": "packed"])
        }
        let arguments = { (arguments: inout TrainingArguments) in
            arguments.maxSteps = 6
            arguments.saveSteps = 2
            arguments.evaluationSteps = 3
        }
        let (whole, cut, events) = (saving("whole"), saving("cut"), Recorder())
        try TinyRun.loop(model: model(), observers: [], saving: whole, arguments).run(model: "tiny")
        let stopped = try TinyRun.loop(
            model: model(), observers: [events], saving: cut, stopAfter: (events, 3), arguments
        ).run(model: "tiny")
        #expect(stopped.reason == .interrupted)
        let loop = try TinyRun.loop(model: model(), observers: [], saving: cut, arguments)
        try RandomGenerator.seed(999)
        try loop.resume(from: #require(cut.store.newest().url))
        #expect(try loop.run(model: "tiny").reason == .completed)
        let files = try FileManager.default.contentsOfDirectory(atPath: whole.store.url(step: 6).path)
        #expect(files.count == 7)
        for file in files {
            let bytes = try [whole, cut].map { try Data(contentsOf: $0.store.url(step: 6).appending(path: file)) }
            #expect(bytes[0] == bytes[1], "\(file)")
        }
    }

    // MARK: What auto chooses

    @Test func autoStaysPackedWhereDenseWeightsWouldNotFit() throws {
        let files = try ModelFiles(Fixtures.url("packed/llama-q8_0.gguf"))
        let bytes = files.parameterCount * 2
        let choose = { (available: Int?) in
            WeightChoice.auto.form(of: files, dtype: .bfloat16, device: .cpu, available: available)
        }
        #expect(choose(bytes * 3) == .dense)
        #expect(choose(bytes * 3 - 6) == .packed)
        #expect(choose(nil) == .dense)
        #expect(WeightChoice.auto.form(of: files, dtype: .float32, device: .cpu, available: bytes * 3) == .packed)
        #expect(WeightChoice.dense.form(of: files, dtype: .bfloat16, device: .cpu, available: 0) == .dense)
        let plain = try ModelFiles(Fixtures.url("models/llama-tiny"))
        #expect(WeightChoice.auto.form(of: plain, dtype: .bfloat16, device: .cpu, available: 0) == .dense)
        let quantised = try ModelFiles(Fixtures.url("bitsandbytes/nf4"))
        #expect(WeightChoice.auto.form(of: quantised, dtype: .bfloat16, device: .cpu, available: nil) == .packed)
        #expect(WeightChoice.auto.form(of: quantised, dtype: .bfloat16, device: .cuda, available: nil) == .dense)
    }
}
