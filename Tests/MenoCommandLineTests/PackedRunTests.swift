import Foundation
import MenoTesting
import Testing

/// Runs of the program on weights that stay packed.
@Suite(.serialized) struct PackedRunTests {
    private let tiny: TinyModel

    init() throws {
        tiny = try TinyModel()
        // The model of bitsandbytes, with the tokenizer of the tiny one.
        for name in ["config.json", "model.safetensors"] {
            let place = tiny.model.appending(path: name)
            try FileManager.default.removeItem(at: place)
            try FileManager.default.copyItem(at: Fixtures.url("bitsandbytes/nf4/\(name)"), to: place)
        }
    }

    private func loss(_ arguments: String...) throws -> Double {
        let result = try meno(
            ["evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--json"] + arguments)
        #expect(result.status == 0, "\(result.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        return try #require(object?["loss"] as? Double)
    }

    /// What was chosen is shown, recorded and kept; a resumed run has the bytes of one that was not interrupted.
    @Test func modelsOfBitsandbytesAreTrainedAsTheyAre() throws {
        let keys = "max_steps: 4, save_steps: 2, eval_strategy: no, load_best_model_at_end: false"
        let trained = try tiny.train(keys)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("packed weights (four bits, double quantised)"))
        let record = try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8)
        #expect(record.contains("weights: packed"))
        let adapter = tiny.run.appending(path: "model/adapter_model.safetensors")
        let unbroken = try Data(contentsOf: adapter)
        let middle = tiny.run.appending(path: "model/checkpoint-2").path
        #expect(try tiny.train(keys, ["--resume", middle]).status == 0)
        #expect(try Data(contentsOf: adapter) == unbroken)
        let dense = try tiny.train(keys, ["--resume", middle, "--set", "model.weights=dense"])
        #expect(dense.status == 65 && dense.errors.contains("model.weights"))
        let place = tiny.run.appending(path: "model").path
        let losses = try [
            loss("--adapter", place), loss("--adapter", place, "--weights", "dense"), loss("--load-in-4bit"),
            loss("--weights", "packed", "--dtype", "float32"),
        ]
        #expect(abs(losses[0] - losses[1]) < 0.02 && abs(losses[2] - losses[3]) < 0.02)
        let refused = try meno([
            "evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--load-in-8bit",
        ])
        #expect(refused.status == 65 && refused.errors.contains("already quantised"))
    }

    /// Merged into numbers, they are a model that needs no bitsandbytes, and say what the trained one says.
    @Test func adaptersOfPackedModelsAreMerged() throws {
        let keys = "max_steps: 4, learning_rate: 1.0e-2, eval_strategy: no, load_best_model_at_end: false"
        #expect(try tiny.train(keys).status == 0)
        let target = tiny.folder.url.appending(path: "merged")
        let exported = try meno([
            "export", "--model", tiny.model.path, "--adapter", tiny.run.appending(path: "model").path, "--to",
            target.path, "--data", tiny.data.path, "--weights", "packed",
        ])
        #expect(exported.status == 0, "\(exported.errors)")
        #expect(exported.errors.contains("compared on"))
        let configuration = try String(contentsOf: target.appending(path: "config.json"), encoding: .utf8)
        #expect(!configuration.contains("quantization_config"))
    }
}
