import Foundation
import MenoTesting
import Testing

/// Whole runs of objectives of preferences.
@Suite(.serialized) struct PreferenceCommandTests {
    private let tiny: TinyModel

    init() throws {
        tiny = try TinyModel()
        let words = ["asks", "tells", "and", "can", "it", "be", "taught"]
        let lines = (0..<40).map { line in
            let prompt = "\(words[line % 7]) \(words[line / 7 % 7]) \(words[(line * 3) % 7])? "
            return
                #"{"prompt": "\#(prompt)", "chosen": "ask \#(words[line % 5])?", "rejected": "it is \#(words[line % 3])."}"#
        }
        try lines.joined(separator: "\n").write(to: tiny.data, atomically: true, encoding: .utf8)
    }

    private struct Line: Decodable {
        var step: Int
        var values: [String: Double]

        init(from decoder: any Decoder) throws {
            values = try decoder.singleValueContainer().decode([String: Double].self)
            step = Int(values["step"] ?? 0)
        }
    }

    private func lines() throws -> [Line] {
        try String(contentsOf: tiny.progress.appending(path: "metrics.jsonl"), encoding: .utf8)
            .split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    private func bytes() throws -> [Data] {
        let model = tiny.run.appending(path: "model")
        let weights = ["adapter_model.safetensors", "model.safetensors"].map { model.appending(path: $0) }
        return try ([tiny.progress.appending(path: "metrics.jsonl")] + weights)
            .filter { FileManager.default.fileExists(atPath: $0.path) }.map { try Data(contentsOf: $0) }
    }

    /// A run that is resumed from its middle writes the bytes of one that was not cut, whatever the reference is.
    @Test(arguments: [
        ("objective: dpo, learning_rate: 1.0e-2", "{r: 4, target_modules: all-linear}"),
        ("objective: dpo, learning_rate: 1.0e-2, precompute_ref_log_probs: true", "{r: 4, target_modules: all-linear}"),
        ("objective: kto, learning_rate: 1.0e-2, bf16: false", "null"),
    ])
    func aRunLearnsAndResumes(_ keys: String, _ lora: String) throws {
        let keys =
            keys + ", max_steps: 8, eval_steps: 4, save_steps: 4, eval_on_start: true, load_best_model_at_end: false"
        let trained = try tiny.train(keys, lora: lora)
        #expect(trained.status == 0, "\(trained.errors)")
        let unbroken = try bytes()
        #expect(unbroken.count == 2)
        let evaluations = try lines().filter { $0.values["eval_loss"] != nil }.map(\.values)
        #expect(evaluations.count == 3)
        let (first, last) = (try #require(evaluations.first), try #require(evaluations.last))
        #expect(try #require(last["eval_loss"]) < #require(first["eval_loss"]))
        #expect(try #require(last["eval_rewards/margins"]) > 0.05)
        #expect(first["eval_rewards/margins"].map { abs($0) < 1e-6 } == true)
        #expect(last["eval_perplexity"] == nil)
        let steps = try lines().filter { $0.values["loss"] != nil }
        for name in ["rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected"] {
            #expect(steps.contains { $0.values[name] != nil }, "\(name)")
        }
        let state =
            try JSONSerialization.jsonObject(
                with: Data(contentsOf: tiny.run.appending(path: "model/checkpoint-8/trainer_state.json")))
            as? [String: Any]
        let log = try #require(state?["log_history"] as? [[String: Any]])
        #expect(log.contains { $0["rewards/chosen"] != nil } && log.contains { $0["eval_rewards/margins"] != nil })
        #expect(FileManager.default.fileExists(atPath: tiny.progress.appending(path: "chart_reward_margins.svg").path))

        let middle = tiny.run.appending(path: "model/checkpoint-4").path
        let again = try tiny.train(keys, lora: lora, ["--resume", middle])
        #expect(again.status == 0, "\(again.errors)")
        #expect(try bytes() == unbroken)
    }

    /// References that are computed once are those that steps would ask for.
    @Test func cachedReferencesChangeNothing() throws {
        var losses: [[Double]] = []
        for extra in ["", ", precompute_ref_log_probs: true"] {
            let keys = "objective: dpo, learning_rate: 1.0e-2, max_steps: 4, eval_strategy: no, bf16: false"
            let run = try tiny.train(keys + extra, ["--overwrite"])
            #expect(run.status == 0, "\(run.errors)")
            losses.append(try lines().compactMap { $0.values["loss"] })
        }
        for (plain, cached) in zip(losses[0], losses[1]) { #expect(abs(plain - cached) < 1e-5) }
        #expect(FileManager.default.fileExists(atPath: tiny.run.appending(path: "reference_log_probs.json").path))
    }

    /// The adapter of one run is what the next begins with, and what it is compared with.
    @Test func aRunGoesOnFromAnAdapter() throws {
        let keys = "learning_rate: 1.0e-2, max_steps: 4, eval_strategy: no, bf16: false"
        #expect(try tiny.train(keys).status == 0)
        let first = tiny.run.appending(path: "model").path
        let output = tiny.folder.url.appending(path: "second").path
        for (reference, margin) in [("initial", true), ("base", false), (tiny.model.path, false), (first, true)] {
            let run = try tiny.train(
                "objective: dpo, reference: \(reference), \(keys)", lora: "{init_adapter: \(first)}", output: output,
                ["--overwrite"])
            #expect(run.status == 0, "\(run.errors)")
            let metrics = try String(
                contentsOf: URL(filePath: output).appending(path: "training_progress/metrics.jsonl"), encoding: .utf8)
            let step = try JSONDecoder().decode(
                Line.self, from: Data(#require(metrics.split(separator: "\n").first).utf8))
            let margins = try #require(step.values["rewards/margins"])
            #expect((abs(margins) < 1e-5) == margin, "\(reference): \(margins)")
        }
    }

    @Test(arguments: [
        ("objective: dpo, loss_type: [sigmoid, sft], loss_weights: [1.0]", "1 weights for 2 losses"),
        ("objective: dpo, loss_type: exo_pair", "training.label_smoothing"),
        ("objective: orpo, loss_type: sigmoid", "training.loss_type"),
        ("objective: kto, loss_type: hinge", "kto supports kto"),
        ("objective: dpo, label_smoothing_factor: 0.1", "training.label_smoothing"),
        ("metric_for_best_model: eval_rewards/accuracies", "is sft"),
        ("objective: dpo, f_divergence_type: forward_kl", "not supported"),
    ])
    func whatContradictsItselfIsRefused(_ keys: String, _ message: String) throws {
        let run = try tiny.train(keys)
        #expect(run.status == 64 || run.status == 65, "\(run.status)")
        #expect(run.errors.contains(message), "\(run.errors)")
    }

    @Test func inspectShowsBothSides() throws {
        let result = try meno("inspect", tiny.data.path, "--model", tiny.model.path)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("line 1, chosen") && result.output.contains("line 1, rejected"))
    }
}
