import Foundation
import MenoTesting
import Testing

/// Whole runs of the program, with a model small enough to try every way to train.
@Suite(.serialized) struct TinyModelTests {
    private let tiny: TinyModel

    init() throws { tiny = try TinyModel() }

    @Test func everyWeightIsTrained() throws {
        let keys = "max_steps: 12, learning_rate: 1.0e-2, eval_steps: 6, save_steps: 6, bf16: false"
        let trained = try tiny.train(keys, lora: "null")
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("(100.00 %)"))
        let model = tiny.run.appending(path: "model")
        // It is a model of its own: no adapter, and every file that loading it takes.
        for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            #expect(FileManager.default.fileExists(atPath: model.appending(path: name).path), "\(name)")
        }
        let losses = try [tiny.model, model].map { model in
            let result = try meno(
                "evaluate", "--model", model.path, "--data", tiny.data.path, "--dtype", "float32", "--json")
            #expect(result.status == 0, "\(result.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
            return try #require(object?["loss"] as? Double)
        }
        #expect(losses[1] < losses[0] - 0.5)
        // Resumed from the middle it comes to the same bytes.
        let weights = { try Data(contentsOf: model.appending(path: "model.safetensors")) }
        let unbroken = try weights()
        let middle = model.appending(path: "checkpoint-6").path
        #expect(try tiny.train(keys, lora: "null", ["--resume", middle]).status == 0)
        #expect(try weights() == unbroken)
    }

    @Test func anOverwrittenRunLeavesNothingBehind() throws {
        #expect(try tiny.train("max_steps: 2, bf16: false", lora: "null").status == 0)
        let model = tiny.run.appending(path: "model")
        let chart = tiny.progress.appending(path: "chart_of-old.svg")
        try Data().write(to: chart)
        let hasFile = { (url: URL) in FileManager.default.fileExists(atPath: url.path) }
        // From its own result: that is there to the end, with what belongs to it.
        let again = try tiny.train(
            "max_steps: 2, bf16: false", lora: "null", ["--overwrite", "--set", "model.name_or_path=\(model.path)"])
        #expect(again.status == 0, "\(again.errors)")
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            #expect(hasFile(model.appending(path: name)), "\(name)")
        }
        #expect(!hasFile(chart))
        #expect(try tiny.train("max_steps: 1", ["--overwrite"]).status == 0)
        #expect(!hasFile(model.appending(path: "model.safetensors")))
        #expect(!hasFile(model.appending(path: "checkpoint-2")) && hasFile(model.appending(path: "checkpoint-1")))
    }

    @Test func aRunThatGoesOnFromAnAdapterTellsItsSettings() throws {
        let keys = "max_steps: 2, bf16: false"
        #expect(try tiny.train(keys).status == 0)
        let first = "init_adapter: \(tiny.run.appending(path: "model").path)"
        let second = tiny.folder.url.appending(path: "second")
        let refused = try tiny.train(keys, lora: "{\(first), r: 16}", output: second.path)
        #expect(refused.status == 65 && refused.errors.contains("lora.r: is 16"), "\(refused.errors)")
        let trained = try tiny.train(keys, lora: "{\(first)}", output: second.path)
        #expect(trained.status == 0, "\(trained.errors)")
        let settings = try String(contentsOf: second.appending(path: "run.yaml"), encoding: .utf8)
        #expect(settings.contains("\n  r: 4\n  lora_alpha: 8.0\n"), "\(settings)")
    }

    @Test func whatTrainerWouldDoOtherwiseIsSaid() throws {
        let file = tiny.model.appending(path: "config.json")
        let usual = try String(contentsOf: file, encoding: .utf8)
        try usual.replacing("\"attention_dropout\": 0.0", with: "\"attention_dropout\": 0.25")
            .write(to: file, atomically: true, encoding: .utf8)
        let trained = try tiny.train("max_steps: 1, bf16: false", ["--quiet"])
        #expect(trained.status == 0 && trained.errors.contains("\"attention_dropout\": 0.25"), "\(trained.errors)")
    }

    @Test func aRefusedResumptionLeavesTheSettingsOfTheRun() throws {
        #expect(try tiny.train("max_steps: 2, learning_rate: 1.0e-3").status == 0)
        let settings = { try String(contentsOf: tiny.run.appending(path: "run.yaml"), encoding: .utf8) }
        let before = try settings()
        let refused = try tiny.train("max_steps: 2, learning_rate: 2.0e-3", ["--resume", "auto"])
        #expect(refused.status == 65 && refused.errors.contains("training.learning_rate"), "\(refused.errors)")
        #expect(try settings() == before)
    }

    @Test func bfloat16LearnsAsFloat32Does() throws {
        let keys = "max_steps: 12, learning_rate: 5.0e-3, eval_steps: 4"
        var losses: [[Double]] = []
        for type in ["bfloat16", "float32"] {
            let trained = try tiny.train(keys, ["--overwrite", "--set", "model.dtype=\(type)"])
            #expect(trained.status == 0 && trained.errors.contains(type), "\(trained.errors)")
            losses.append(try tiny.metrics().compactMap { $0.loss ?? $0.evalLoss })
            // Adapters and their optimizer state are float32 either way.
            let adapter = try Data(contentsOf: tiny.run.appending(path: "model/adapter_model.safetensors"))
            let header = String(decoding: adapter.dropFirst(8).prefix(4000), as: UTF8.self)
            #expect(header.contains(#""dtype":"F32""#) && !header.contains("BF16"))
        }
        #expect(losses[0].count == losses[1].count && losses[0].last! < losses[0].first! - 0.3)
        for (rounded, exact) in zip(losses[0], losses[1]) {
            // bfloat16 has 8 bits: 0.4 % in each weight and activation.
            #expect(abs(rounded - exact) < 0.02 * exact)
            #expect(rounded != exact)
        }
    }

    @Test func theBatchIsMeaningAndThePassIsPhysics() throws {
        let shapes = [(2, 8), (4, 4), (16, 1), (1, 16)]
        var runs: [[Double]] = []
        for (batch, accumulation) in shapes {
            for rest in [[], ["training.tokens_per_pass=32"], ["training.gradient_checkpointing=always"]] {
                let keys = [
                    "training.per_device_train_batch_size=\(batch)",
                    "training.gradient_accumulation_steps=\(accumulation)", "model.dtype=float32",
                ]
                let trained = try tiny.train(
                    "max_steps: 6, learning_rate: 5.0e-3, eval_steps: 3", lora: "{lora_dropout: 0}",
                    ["--overwrite"] + (keys + rest).flatMap { ["--set", $0] })
                #expect(trained.status == 0, "\(trained.errors)")
                runs.append(try tiny.metrics().compactMap { $0.loss ?? $0.evalLoss })
            }
        }
        #expect(runs.allSatisfy { $0.count == 8 })
        for run in runs { for (loss, first) in zip(run, runs[0]) { #expect(abs(loss - first) < 1e-4 * first) } }
    }

    @Test func aRunIsReportedWatchedAgainAndReadByMachines() throws {
        let keys = "max_steps: 8, learning_rate: 5.0e-3, eval_steps: 2, report_to: tensorboard"
        let trained = try tiny.train(keys, ["--log-format", "json"])
        #expect(trained.status == 0, "\(trained.errors)")
        // Every line from the first event on is JSON.
        let lines = trained.errors.split(separator: "\n").drop { !$0.hasPrefix("{") }
        #expect(lines.count { (try? JSONSerialization.jsonObject(with: Data($0.utf8))) != nil } >= 20)
        #expect(lines.contains { $0.hasPrefix(#"{"finished""#) })
        let page = try String(contentsOf: tiny.progress.appending(path: "report.html"), encoding: .utf8)
        #expect(page.contains("chart") && page.contains("8 / 8"))
        #expect(page.contains("libtorch") && page.contains("SHA-256"))
        let logs = try FileManager.default.contentsOfDirectory(atPath: tiny.run.appending(path: "logs").path)
        #expect(logs.contains { $0.hasPrefix("events.out.tfevents.") })
        let log = try #require(logs.first { $0.hasPrefix("training_log_") && $0.hasSuffix(".log") })
        let text = try String(contentsOf: tiny.run.appending(path: "logs/\(log)"), encoding: .utf8)
        #expect(text.contains("step 8/8") && text.contains("CPU Memory usage"))

        let report = try meno("report", tiny.run.path, "--language", "ja", "--output", tiny.folder.url.path + "/ja")
        #expect(report.status == 0 && report.output.hasSuffix("/ja/report.html\n"), "\(report.errors)")
        let japanese = try String(contentsOf: tiny.folder.url.appending(path: "ja/report.html"), encoding: .utf8)
        #expect(japanese.contains("損失") && japanese.contains("完了"))
        // The run, and Trainer's record of it in the last checkpoint, replayed.
        let state = tiny.run.appending(path: "model/checkpoint-8/trainer_state.json").path
        for path in [tiny.run.path, state] {
            let replayed = try meno("monitor", "replay", path, "--json")
            #expect(replayed.status == 0, "\(replayed.errors)")
            let object = try JSONSerialization.jsonObject(with: Data(replayed.output.utf8)) as? [String: Any]
            #expect((object?["summary"] as? [String: Any])?["steps"] as? Int == 8)
        }
        #expect(try meno("report", tiny.folder.url.path).status == 65)
        #expect(try meno("report", "/nowhere").status == 66)
    }

    @Test func aQuietRunTellsOnlyWhatNeedsAttention() throws {
        let trained = try tiny.train("max_steps: 2, eval_steps: 2", monitor: "null", ["--quiet"])
        #expect(trained.status == 0)
        #expect(!trained.errors.contains("step 1/2") && !trained.errors.contains("evaluation after"))
    }
}
