import Foundation
import Meno
import MenoTesting
import Testing

/// The library as a program uses it: nothing is imported but `Meno`.
@Suite(.serialized, .drawsRandomNumbers) struct FineTuningTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    private func configuration(steps: Int) -> RunConfiguration {
        var configuration = RunConfiguration(
            model: tiny.model.path, data: tiny.data.path, output: tiny.run.path)
        configuration.model.device = .cpu
        configuration.model.dtype = .float32
        configuration.data.maxLength = 32
        configuration.training.maxSteps = steps
        configuration.training.gradientAccumulationSteps = 2
        configuration.training.learningRate = 1e-2
        configuration.training.loggingSteps = 1
        configuration.monitor.probing = .never
        return configuration
    }

    /// The tiny model brings no chat template.
    private func template() throws -> String {
        let file = tiny.folder.url.appending(path: "template.jinja")
        try "{% for message in messages %}{{ message.content }}? {% endfor %}".write(
            to: file, atomically: true, encoding: .utf8)
        return file.path
    }

    private func hasFile(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: tiny.run.appending(path: name).path)
    }

    @Test func theDefaultsForCodeAreTheNotebooksButForTheEpochs() {
        #expect(RunConfiguration().training.epochs == 1 && RunConfiguration.notebook.training.epochs == 30)
        var configuration = RunConfiguration.notebook
        configuration.training.epochs = 1
        #expect(configuration.training == RunConfiguration().training)
    }

    @Test func aRunTrainsIsEvaluatedAndAnswers() async throws {
        var losses: [Double] = []
        var last: RunEvent?
        for try await event in FineTuning(configuration(steps: 12)).events() {
            if case .step(let step) = event { losses.append(step.loss) }
            last = event
        }
        #expect(losses.count == 12 && losses.last! < losses.first! - 0.3)
        guard case .finished(let outcome) = last else {
            Issue.record("the last event is \(String(describing: last))")
            return
        }
        #expect(outcome.reason == .completed && outcome.step == 12)
        // The run's files are there as the program writes them.
        for name in [
            "run.yaml", "model/adapter_model.safetensors", "model/tokenizer.json", "training_progress/metrics.jsonl",
            "training_progress/report.html",
        ] { #expect(hasFile(name), "\(name)") }
        #expect(
            try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8).contains(
                "num_train_epochs: 1"))

        let base = try await LanguageModel.load(tiny.model.path, dtype: .float32, device: .cpu)
        let tuned = try await LanguageModel.load(
            tiny.model.path, adapter: tiny.run.appending(path: "model").path, dtype: .float32, device: .cpu)
        let before = try await base.evaluate(tiny.data.path)
        for quantization in [WeightOptions.Quantization.eightBits, .fourBits(.fp4, doubleQuantization: false)] {
            var weights = WeightOptions()
            weights.quantization = quantization
            let quantized = try await LanguageModel.load(
                tiny.model.path, dtype: .float32, weights: weights, device: .cpu)
            let loss = try await quantized.evaluate(tiny.data.path).loss
            #expect(loss != before.loss && abs(loss - before.loss) < 0.2, "\(quantization): \(loss)")
        }
        let after = try await tuned.evaluate(tiny.data.path)
        #expect(before.rows.count == 40 && after.loss < before.loss - 0.3)
        let record = Record(place: "here", content: .text("what is virtue?"))
        #expect(try await tuned.evaluate([record]).tokens == 15)

        var options = GenerationOptions()
        options.chatTemplate = try template()
        options.sampling = .greedy
        options.maxNewTokens = 12
        let answer = try await tuned.generate("virtue", options)
        #expect(answer.tokens <= 12 && !answer.text.isEmpty)
        var streamed = ""
        for try await piece in tuned.stream("virtue", options) { streamed += piece }
        #expect(streamed == answer.text)
    }

    @Test func aCancelledTaskLeavesACheckpointThatIsResumed() async throws {
        let steps = 30
        let task = Task { [configuration = configuration(steps: steps)] in
            try await FineTuning(configuration).run()
        }
        task.cancel()
        let outcome = try await task.value
        #expect(outcome.reason == .interrupted && outcome.step == 0)

        // Leaving the loop is a cancellation, too.
        for try await event in FineTuning(configuration(steps: steps), resumption: .newest).events() {
            if case .step(let step) = event, step.step == 4 { break }
        }
        let resumed = try await untilFree {
            try await FineTuning(configuration(steps: steps), resumption: .newest).run()
        }
        #expect(resumed.reason == .completed && resumed.step == steps)

        // The same weights as of a run that was never interrupted.
        let weights = { try Data(contentsOf: tiny.run.appending(path: "model/adapter_model.safetensors")) }
        let interrupted = try weights()
        _ = try await FineTuning(configuration(steps: steps), overwrites: true).run()
        #expect(try weights() == interrupted)
    }

    /// A run whose loop was left goes on until its checkpoint is written.
    private func untilFree<Result>(_ body: () async throws -> Result) async throws -> Result {
        for _ in 0..<100 {
            do {
                return try await body()
            } catch let error as ConfigurationError where error.description.contains("is training in this folder") {
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        return try await body()
    }

    @Test func errorsAreThoseOfTheirSubject() async throws {
        await #expect(throws: ConfigurationError.self) { try await FineTuning(RunConfiguration()).run() }
        var missing = configuration(steps: 2)
        missing.data.path = "/nowhere.jsonl"
        await #expect(throws: DataError.self) { try await FineTuning(missing).run() }
        await #expect(throws: DataError.self) { for try await _ in FineTuning(missing).events() {} }
        await #expect(throws: ModelError.self) { try await LanguageModel.load("no-such-model") }
        // A run is not replaced unasked.
        _ = try await FineTuning(configuration(steps: 2)).run()
        await #expect(throws: ConfigurationError.self) { try await FineTuning(configuration(steps: 2)).run() }
    }

    @Test func twoModelsShareAProcess() async throws {
        let model = try await LanguageModel.load(tiny.model.path, dtype: .float32, device: .cpu)
        var options = GenerationOptions()
        options.chatTemplate = try template()
        options.maxNewTokens = 8
        options.sampling = Sampling(temperature: 1, seed: 7)
        let alone = try await model.generate("virtue", options)
        let other = try await LanguageModel.load(tiny.model.path, dtype: .float32, device: .cpu)
        let both = try await withThrowingTaskGroup(of: Answer.self) { [options] group in
            for model in [model, other, model, other] { group.addTask { try await model.generate("virtue", options) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(both.count == 4 && both.allSatisfy { $0 == alone })
    }
}
