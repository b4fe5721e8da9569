import Foundation
import MenoTesting
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is found in a run's folder, and what is said of it before anything runs.
@Suite(.serialized) struct RunFolderTests {
    private let tiny: TinyModel
    private let keys = "max_steps: 2, eval_steps: 1, save_steps: 1"

    init() throws { tiny = try TinyModel() }

    @Test func aFinishedRunIsCalledSoAndCanBeMadeLonger() throws {
        #expect(try tiny.train(keys).status == 0)
        let again = try tiny.train(keys)
        #expect(again.status == 65 && again.errors.contains("there is already a finished run here (step 2 of 2)"))
        #expect(again.errors.contains("--allow-changes") && again.errors.contains("--overwrite"), "\(again.errors)")
        #expect(try tiny.train(keys, ["--overwrite", "--resume", "auto"]).status == 64)
        let longer = try tiny.train(
            keys.replacing("max_steps: 2", with: "max_steps: 3"), ["--resume", "auto", "--allow-changes"])
        #expect(longer.status == 0 && longer.errors.contains("step 3/3"), "\(longer.errors)")
        // The run's folder is neither a checkpoint nor an adapter, and no run resumes beyond its last step.
        let model = tiny.run.appending(path: "model").path
        let folder = try tiny.train(keys, ["--resume", tiny.run.path])
        #expect(folder.status == 65 && folder.errors.contains("\(model)/checkpoint-3"), "\(folder.errors)")
        let beyond = try tiny.train(keys, ["--resume", "\(model)/checkpoint-3", "--allow-changes"])
        #expect(beyond.status == 65 && beyond.errors.contains("the run ends at step 2"), "\(beyond.errors)")
        let evaluation = ["evaluate", "--model", tiny.model.path, "--data", tiny.data.path, "--device", "cpu"]
        let adapter = try meno(evaluation + ["--adapter", tiny.run.path])
        #expect(adapter.status == 66 && adapter.errors.contains("its adapter is in \(model)"), "\(adapter.errors)")
        let half = try meno(evaluation + ["--dtype", "float16"])
        #expect(half.status == 65 && half.errors.contains("float16 cannot be evaluated on a CPU"), "\(half.errors)")
    }

    @Test func aFolderThatOnlyHasTheNameOfACheckpointIsNoneAndStays() throws {
        let stray = tiny.run.appending(path: "model/checkpoint-7")
        try FileManager.default.createDirectory(at: stray, withIntermediateDirectories: true)
        let trained = try tiny.train(keys)
        #expect(trained.status == 0, "\(trained.errors)")
        #expect(FileManager.default.fileExists(atPath: stray.path))
    }

    @Test func overwritingRemovesWhatRunsLeaveAndNothingElse() throws {
        #expect(try tiny.train(keys).status == 0)
        let model = tiny.run.appending(path: "model")
        let own = [model.appending(path: "checkpoint-notes"), tiny.progress.appending(path: "notes.jsonl")]
        try FileManager.default.createDirectory(at: own[0], withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: tiny.data, to: own[1])
        // The new run's checkpoints would be mixed with it, and rotation would remove it.
        let first = model.appending(path: "checkpoint-1")
        let refused = try tiny.train(keys, lora: "{init_adapter: \(first.path)}", ["--overwrite"])
        #expect(refused.status == 65 && refused.errors.contains("Copy it elsewhere first"), "\(refused.errors)")
        #expect(FileManager.default.fileExists(atPath: first.appending(path: "adapter_model.safetensors").path))
        // The result itself can be gone on from.
        let again = try tiny.train(
            keys.replacing("save_steps: 1", with: "save_strategy: \"no\""), lora: "{init_adapter: \(model.path)}",
            ["--overwrite", "--set", "data.path=\(own[1].path)"])
        #expect(again.status == 0, "\(again.errors)")
        for url in own { #expect(FileManager.default.fileExists(atPath: url.path), "\(url.path)") }
        #expect(!FileManager.default.fileExists(atPath: first.path))
    }

    /// A run that cannot start has not removed the one before.
    @Test func anOldRunStaysUntilTheNewOneStarts() throws {
        #expect(try tiny.train(keys).status == 0)
        let refused = try tiny.train(keys, ["--overwrite", "--set", "training.logging_dir=/dev/null/logs"])
        #expect(refused.status != 0)
        for name in ["adapter_model.safetensors", "checkpoint-2/manifest.json"] {
            #expect(FileManager.default.fileExists(atPath: tiny.run.appending(path: "model/\(name)").path), "\(name)")
        }
    }

    @Test(arguments: [[], ["--overwrite"]]) func aModelThatNoRunLeftIsNotReplaced(_ arguments: [String]) throws {
        let model = tiny.run.appending(path: "model")
        try FileManager.default.createDirectory(at: tiny.run, withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: tiny.model, to: model)
        let refused = try tiny.train(keys, arguments)
        #expect(refused.status == 65 && refused.errors.contains("does not come from a run"), "\(refused.errors)")
        #expect(!refused.errors.contains("--overwrite"))
        #expect(FileManager.default.fileExists(atPath: model.appending(path: "model.safetensors").path))
    }

    @Test func aSecondProcessIsRefused() throws {
        try FileManager.default.createDirectory(at: tiny.run, withIntermediateDirectories: true)
        let lock = open(tiny.run.appending(path: ".lock").path, O_RDWR | O_CREAT, 0o600)
        #expect(flock(lock, LOCK_EX) == 0 && write(lock, "4711\n", 5) == 5)
        let refused = try tiny.train(keys)
        #expect(refused.status == 65 && refused.errors.contains("another process (4711)"), "\(refused.errors)")
        #expect(refused.errors.contains(tiny.run.path))
        close(lock)
        #expect(try tiny.train(keys).status == 0)
    }

    @Test func badInputIsNamedBeforeAnythingRuns() throws {
        let none = try tiny.train(keys, ["--set", "data.train_fraction=0"])
        #expect(none.status == 65 && none.errors.contains("data.train_fraction"), "\(none.errors)")
        let file = try tiny.train(keys, output: tiny.data.path)
        #expect(file.status == 65 && file.errors.contains("is a file"), "\(file.errors)")
        let targets = try tiny.train(keys, lora: "{target_modules: [q_proj, k_projs]}")
        #expect(targets.status == 65 && targets.errors.contains("\"k_projs\"") && targets.errors.contains("k_proj?"))
    }

    @Test func anotherMetricIsAnotherRunUnlessItIsAllowed() throws {
        #expect(try tiny.train(keys).status == 0)
        let other = keys + ", metric_for_best_model: token_accuracy"
        let refused = try tiny.train(other, ["--resume", "auto"])
        #expect(
            refused.status == 65
                && refused.errors.contains("metric_for_best_model was perplexity, is now token_accuracy"))
        let longer = other.replacing("max_steps: 2", with: "max_steps: 3")
        let resumed = try tiny.train(longer, ["--resume", "auto", "--allow-changes"])
        #expect(resumed.status == 0, "\(resumed.errors)")
        let state = tiny.run.appending(path: "model/checkpoint-3/trainer_state.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: state)) as? [String: Any]
        // An accuracy: a perplexity that was taken over would be above 1.
        #expect(try #require(object?["best_metric"] as? Double) <= 1)
    }

    @Test func everyLineForMachinesIsJSONAndAQuietRunIsSilent() throws {
        let isJSON = { (line: Substring) in (try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil }
        let told = try tiny.train(keys, ["--log-format", "json"])
        #expect(told.status == 0 && told.errors.split(separator: "\n").allSatisfy(isJSON), "\(told.errors)")
        #expect(told.errors.contains("the final adapter is in"))
        let refused = try tiny.train(keys, ["--log-format", "json"])
        let lines = refused.errors.split(separator: "\n")
        #expect(refused.status == 65 && lines.allSatisfy(isJSON), "\(refused.errors)")
        #expect(lines.contains { $0.hasPrefix(#"{"error":{"#) })
        let quiet = try tiny.train(keys, monitor: "null", ["--overwrite", "--quiet"])
        #expect(quiet.status == 0 && quiet.errors.isEmpty, "\(quiet.errors)")
    }

    @Test func aTemplatesOwnReasonIsTold() throws {
        try Data(#"{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#.utf8)
            .write(to: tiny.data)
        let template = tiny.folder.url.appending(path: "own.jinja")
        for (source, reason) in [
            ("\n{{ raise_exception('only poems') }}", "line 2: only poems."),
            ("{{ messages | sonnet }}", "there is no filter \"sonnet\"."), ("{% if %}", "cannot be read"),
        ] {
            try Data(source.utf8).write(to: template)
            let refused = try tiny.train(keys, ["--set", "data.chat_template=\(template.path)"])
            #expect(refused.status == 65 && refused.errors.contains(reason), "\(refused.errors)")
            #expect(!refused.errors.contains(".."), "\(refused.errors)")
        }
    }

    private func hasFile(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: tiny.run.appending(path: path).path)
    }

    /// `--resume auto` starts a new run where nothing is there, and never over a result.
    @Test func aFinishedResultIsNotWrittenOver() throws {
        #expect(try tiny.train(keys, ["--resume", "auto"]).status == 0)
        let weights = tiny.run.appending(path: "model/adapter_model.safetensors")
        let result = try Data(contentsOf: weights)
        let other = tiny.folder.url.appending(path: "other")
        try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
        let checkpoint = tiny.run.appending(path: "model/checkpoint-1")
        try FileManager.default.copyItem(at: checkpoint, to: other.appending(path: "checkpoint-1"))
        // From a checkpoint elsewhere it would be another run in this folder.
        let foreign = try tiny.train(keys, ["--resume", other.path + "/checkpoint-1"])
        #expect(foreign.status == 65 && foreign.errors.contains("already a finished run here"), "\(foreign.errors)")
        // All checkpoints are broken, then gone.
        for step in [1, 2] {
            try Data("x".utf8).write(to: tiny.run.appending(path: "model/checkpoint-\(step)/optimizer.safetensors"))
        }
        let broken = try tiny.train(keys, ["--resume", "auto"])
        #expect(broken.status == 65 && broken.errors.contains("--overwrite"), "\(broken.errors)")
        for step in [1, 2] {
            try FileManager.default.removeItem(at: tiny.run.appending(path: "model/checkpoint-\(step)"))
        }
        let none = try tiny.train(keys, ["--resume", "auto"])
        #expect(none.status == 65 && none.errors.contains("there is already a finished run here"), "\(none.errors)")
        for refused in [foreign, broken, none] { #expect(!refused.errors.contains("loading")) }
        #expect(try Data(contentsOf: weights) == result)
    }

    /// What is wrong with a checkpoint, a setting or the data is reported at once.
    @Test func aRefusedResumptionIsRefusedBeforeTheModelIsLoaded() throws {
        #expect(try tiny.train(keys).status == 0)
        let text = try String(contentsOf: tiny.data, encoding: .utf8)
        try text.replacing("virtue", with: "beauty").write(to: tiny.data, atomically: true, encoding: .utf8)
        let data = try tiny.train(keys, ["--resume", "auto"])
        try text.write(to: tiny.data, atomically: true, encoding: .utf8)
        let steps = try tiny.train(keys.replacing("max_steps: 2", with: "max_steps: 1"), ["--resume", "auto"])
        let broken = tiny.run.appending(path: "model/checkpoint-1")
        try Data("x".utf8).write(to: broken.appending(path: "optimizer.safetensors"))
        let damaged = try tiny.train(keys, ["--resume", broken.path])
        for (refused, expected) in [
            (data, "data was"), (steps, "training.max_steps was 2, is now 1"),
            (damaged, "optimizer.safetensors has 1 bytes"),
        ] {
            #expect(refused.status == 65 && refused.errors.contains(expected), "\(refused.errors)")
            #expect(!refused.errors.contains("loading"), "\(refused.errors)")
        }
    }

    @Test func aRunThatCanChangeNothingLeavesTheOneBefore() throws {
        #expect(try tiny.train(keys).status == 0)
        for (change, expected) in [
            ("learning_rate: 0", "learning rate is 0 in all 2 remaining steps"),
            ("lr_scheduler_type: cosine, warmup_ratio: 1", "never reaches its peak"),
            ("lr_scheduler_type: linear, warmup_steps: 3", "would never reach its peak"),
        ] {
            let settings = change.replacing("lr_scheduler_type: ", with: "").split(separator: ", ")
            let overrides = settings.flatMap { setting in
                let text = String(setting)
                return [
                    "--set",
                    text.contains(":")
                        ? "training.\(text.replacing(": ", with: "="))" : "training.lr_scheduler_type=\(text)",
                ]
            }
            let refused = try tiny.train(keys, ["--overwrite"] + overrides)
            #expect(refused.status == 65 && refused.errors.contains(expected), "\(refused.errors)")
            #expect(!refused.errors.contains("loading") && hasFile("model/checkpoint-2/manifest.json"))
        }
    }

    @Test func checkpointsOfTheModelAloneAreNoReasonToStartOver() throws {
        let alone = keys + ", save_only_model: true"
        #expect(try tiny.train(alone).status == 0)
        try FileManager.default.removeItem(at: tiny.run.appending(path: "model/adapter_model.safetensors"))
        let refused = try tiny.train(alone, ["--resume", "auto"])
        #expect(refused.status == 65 && refused.errors.contains("save_only_model"), "\(refused.errors)")
        #expect(!hasFile("model/checkpoint-2/optimizer.safetensors"))
    }
}
