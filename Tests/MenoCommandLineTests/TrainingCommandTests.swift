import Foundation
import MenoTesting
import Testing

/// `train`, `evaluate` and `chat` with the small real model.
@Suite(
    .serialized, .enabled(if: Fixtures.model("SmolLM2-135M-Instruct.Q4_1.gguf") != nil, "the model is not in the cache")
)
struct TrainingCommandTests {
    @Test func aTrainedAdapterIsBetterThanTheModelAlone() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.url
        let run = folder.appending(path: "run.yaml")
        let data = try firstDialogues(12, folder)
        try """
        base_output_dir: \(folder.path)/run
        model: {name_or_path: smollm2-135m}
        data: {path: \(data.path), max_length: 96, train_fraction: 0.75}
        lora: {lora_dropout: 0}
        training: {max_steps: 4, learning_rate: 2.0e-3, per_device_train_batch_size: 1, gradient_accumulation_steps: 4,
                   eval_on_start: true, logging_steps: 1}
        """.write(to: run, atomically: true, encoding: .utf8)
        let trained = try meno("train", run.path)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("step 4/4"))
        #expect(trained.errors.contains("<|im_start|>"))
        let adapter = folder.appending(path: "run/model")
        for name in [
            "model/adapter_model.safetensors", "model/adapter_config.json", "run.yaml",
            "training_progress/metrics.jsonl", "model/tokenizer.json", "model/tokenizer_config.json",
            "model/chat_template.jinja",
        ] {
            #expect(FileManager.default.fileExists(atPath: folder.appending(path: "run/\(name)").path), "\(name)")
        }
        // PEFT finds the model by its Hugging Face id, not by the name that it has here.
        let settings = try String(contentsOf: adapter.appending(path: "adapter_config.json"), encoding: .utf8)
        #expect(settings.contains("\"HuggingFaceTB/SmolLM2-135M-Instruct\""))
        // A second run does not replace the first unasked.
        let again = try meno("train", run.path)
        #expect(again.status == 65 && again.errors.contains("--overwrite"))

        let losses = try [[], ["--adapter", adapter.path]].map { arguments in
            let result = try meno(
                ["evaluate", "--model", "smollm2-135m", "--data", data.path, "--max-length", "96", "--json"] + arguments
            )
            #expect(result.status == 0, "\(result.errors)")
            return try JSONDecoder().decode(Evaluation.self, from: Data(result.output.utf8))
        }
        #expect(losses[1].loss < losses[0].loss - 0.05)
        #expect(losses[0].samples == 12 && losses[0].rows.count == 12)
        let sum = losses[0].rows.reduce(0) { $0 + $1.nll }
        #expect(abs(sum / Double(losses[0].tokens) - losses[0].loss) < 1e-9)
        #expect(abs(exp(losses[0].loss) - losses[0].perplexity) < 1e-9)
    }

    @Test func aMonitoredRunKeepsStableCheckpointsAndAnswers() throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run.yaml")
        let data = try firstDialogues(12, folder.url)
        try """
        base_output_dir: \(folder.url.path)/run
        model: {name_or_path: smollm2-135m}
        data: {path: \(data.path), max_length: 64, train_fraction: 0.75}
        training: {max_steps: 6, learning_rate: 5.0e-4, per_device_train_batch_size: 2, gradient_accumulation_steps: 1,
                   eval_steps: 1, save_steps: 3, eval_on_start: true, logging_steps: 1}
        monitor: {window_size: 2, min_steps_between_checkpoints: 2, perplexity_threshold: 1000,
                  eval_loss_variance_threshold: 5, grad_norm_bounds: [0, 1000], max_stable_checkpoints: 2,
                  probes: {questions: [愛とは何ですか。], max_new_tokens: 8, max_share: 1}}
        """.write(to: run, atomically: true, encoding: .utf8)
        let trained = try meno("train", run.path)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(trained.errors.contains("Q: 愛とは何ですか。") && trained.errors.contains("saving a stable checkpoint"))
        let (model, progress) = (
            folder.url.appending(path: "run/model"), folder.url.appending(path: "run/training_progress")
        )
        let stable = try FileManager.default.contentsOfDirectory(atPath: model.path)
            .filter { $0.hasPrefix("stable_checkpoint-") }
        #expect(stable.count == 2)
        for name in stable {
            let record = model.appending(path: "\(name)/stability_metrics.json")
            #expect(FileManager.default.fileExists(atPath: record.path), "\(name)")
        }
        let summary = try #require(
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: progress.appending(path: "training_summary.json"))) as? [String: Any])
        let listed = try #require((summary["stable_checkpoints"] as? [String: Any])?["checkpoints"] as? [[String: Any]])
        #expect(Set(listed.compactMap { $0["path"] as? String }) == Set(stable.map { "model/\($0)" }))
        #expect(summary["status"] as? String == "completed")
        let history = try #require(
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: progress.appending(path: "training_metrics.json"))) as? [String: Any])
        #expect((history["eval_loss"] as? [Double])?.count == 7)
        // The monitor only watches: without it the adapter has the same bytes.
        let adapter = { try Data(contentsOf: model.appending(path: "adapter_model.safetensors")) }
        let watched = try adapter()
        #expect(try meno("train", run.path, "--overwrite", "--set", "monitor=null").status == 0)
        #expect(try adapter() == watched)
        let rest = try FileManager.default.contentsOfDirectory(atPath: model.path)
        #expect(!rest.contains { $0.hasPrefix("stable_checkpoint-") })
    }

    #if os(Linux)
        /// Addresses are what a process can be refused on Linux; memory itself is taken without asking.
        @Test func aStepThatRunsOutOfMemoryIsDoneAgainInSmallerPasses() throws {
            let folder = try TemporaryFolder()
            let run = folder.url.appending(path: "run.yaml")
            let data = try firstDialogues(14, folder.url)
            try """
            base_output_dir: \(folder.url.path)/run
            model: {name_or_path: smollm2-135m, dtype: float32}
            data: {path: \(data.path), max_length: 96, train_fraction: 1, max_eval_samples: 0}
            lora: {lora_dropout: 0}
            training: {max_steps: 2, learning_rate: 1.0e-3, warmup_steps: 0, per_device_train_batch_size: 14,
                       gradient_accumulation_steps: 1, eval_strategy: "no", save_strategy: "no", logging_steps: 1,
                       gradient_checkpointing: false, tokens_per_pass: 2048}
            monitor: null
            """.write(to: run, atomically: true, encoding: .utf8)
            let losses = { () throws -> [Double] in
                let metrics = folder.url.appending(path: "run/training_progress/metrics.jsonl")
                return try String(contentsOf: metrics, encoding: .utf8).split(separator: "\n").map { line in
                    let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
                    return try #require(object?["loss"] as? Double)
                }
            }
            let free = try meno(["train", run.path], threads: 1)
            #expect(free.status == 0 && !free.errors.contains("out of memory"), "\(free.errors)")
            let expected = try losses()
            let areAsExpected = { () throws -> Bool in
                let found = try losses()
                return found.count == 2 && expected.count == 2
                    && zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 * $1 }
            }
            let limited = try meno(["train", run.path, "--overwrite"], threads: 1, memoryLimit: 1700)
            #expect(limited.status == 0 && limited.errors.contains("out of memory in a pass"), "\(limited.errors)")
            #expect(try areAsExpected())
            // If it may, it first recomputes layers in the backward pass.
            let again = try meno(
                ["train", run.path, "--overwrite", "--set", "training.gradient_checkpointing=true"], threads: 1,
                memoryLimit: 1700)
            #expect(again.status == 0 && again.errors.contains("recomputed in the backward pass"), "\(again.errors)")
            #expect(try areAsExpected())
            // Where not even one example fits, that is said, with what can be done.
            let hopeless = try meno(["train", run.path, "--overwrite"], threads: 1, memoryLimit: 1000)
            #expect(hopeless.status == 1)
            #expect(hopeless.errors.contains("memory"), "\(hopeless.errors)")
        }
    #endif

    @Test func chatAnswersOnStandardOutput() throws {
        let answer = {
            try meno(
                "chat", "--model", "smollm2-135m", "--prompt", "Say hello.", "--temperature", "0", "--max-new-tokens",
                "8")
        }
        let first = try answer()
        #expect(first.status == 0 && first.output.count > 2)
        #expect(try answer().output == first.output)
    }

    @Test func interruptionKeepsWhatWasLearnt() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.url
        let run = folder.appending(path: "run.yaml")
        let data = try firstDialogues(8, folder)
        try """
        base_output_dir: \(folder.path)/run
        model: {name_or_path: smollm2-135m}
        data: {path: \(data.path), max_length: 32, train_fraction: 1, max_eval_samples: 0}
        training: {max_steps: 100000, eval_strategy: "no", logging_steps: 1, per_device_train_batch_size: 1, gradient_accumulation_steps: 1}
        """.write(to: run, atomically: true, encoding: .utf8)
        let process = try start(["train", run.path])
        let errors = process.standardError as! Pipe
        var seen = ""
        while !seen.contains("step 2/") {
            let part = errors.fileHandleForReading.availableData
            guard !part.isEmpty else { break }
            seen += String(decoding: part, as: UTF8.self)
        }
        process.interrupt()
        _ = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 130)
        // Nothing is lost: the run does not start from scratch unasked, and resumes where it was.
        let again = try meno("train", run.path)
        #expect(again.status == 65 && again.errors.contains("--resume auto"))
        let steps = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "run/model").path)
            .compactMap { $0.hasPrefix("checkpoint-") ? Int($0.dropFirst(11)) : nil }
        let step = try #require(steps.max())
        let changed = try meno("train", run.path, "--resume", "auto", "--max-steps", "\(step + 1)")
        #expect(changed.status == 65 && changed.errors.contains("training.max_steps was 100000, is now \(step + 1)"))
        let resumed = try meno(
            "train", run.path, "--resume", "auto", "--max-steps", "\(step + 1)", "--allow-changes")
        #expect(resumed.status == 0, "\(resumed.errors)")
        let lines = try String(
            contentsOf: folder.appending(path: "run/training_progress/metrics.jsonl"), encoding: .utf8
        ).split(separator: "\n")
        #expect(lines.count == step + 1)
        #expect(
            FileManager.default.fileExists(atPath: folder.appending(path: "run/model/adapter_model.safetensors").path))
    }

    private struct Evaluation: Decodable {
        struct Row: Decodable {
            var tokens: Int
            var nll: Double
        }
        var loss: Double
        var perplexity: Double
        var tokens: Int
        var samples: Int
        var rows: [Row]
    }

    private func firstDialogues(_ count: Int, _ folder: URL) throws -> URL {
        let all = try String(
            contentsOf: Fixtures.repository.appending(path: "Examples/dialogues.jsonl"), encoding: .utf8)
        let url = folder.appending(path: "dialogues.jsonl")
        try all.split(separator: "\n").prefix(count).joined(separator: "\n").write(
            to: url, atomically: true, encoding: .utf8)
        return url
    }
}
