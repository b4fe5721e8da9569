import Foundation
import MenoModels
import MenoTesting
import Testing

@testable import MenoConfiguration

@Suite struct RunConfigurationTests {
    private let minimal = "model: {name_or_path: m}\ndata: {path: d.json}\n"

    @Test func whatIsNotWrittenHasTheSeedsValue() throws {
        let run = try RunConfiguration.read(yaml: minimal, name: "run.yaml")
        #expect(run.training.epochs == 30)
        #expect(run.training.learningRate == 2e-4)
        #expect(run.training.optimizer.weightDecay == 0.01)
        #expect(run.training.warmupRatio == 0.1)
        #expect(run.training.examplesPerStep == 16)
        #expect(run.training.maxGradientNorm == 1)
        #expect(run.lora?.targetModules == ["q_proj", "k_proj", "v_proj"])
        #expect(run.data.maxLength == 256)
    }

    /// Every value of the reference notebook's run, in a file, is the default of its key.
    @Test func theSeedsRunIsThatOfTheDefaults() throws {
        let seed = try RunConfiguration.read(Fixtures.repository.appending(path: "Examples/seed.yaml"))
        var plain = try RunConfiguration.read(yaml: minimal, name: "run.yaml")
        plain.model.nameOrPath = seed.model.nameOrPath
        plain.data.path = seed.data.path
        plain.baseOutputDirectory = seed.baseOutputDirectory
        #expect(seed.yaml == plain.yaml)
    }

    @Test func whatIsWrittenIsReadBackTheSame() throws {
        var yaml = minimal + "lora: null\n"
        yaml +=
            "training: {max_steps: 7, max_grad_norm: 0, eval_strategy: epoch, save_strategy: epoch, learning_rate: 3e-5}\n"
        let run = try RunConfiguration.read(
            yaml: yaml, name: "run.yaml", overrides: ["data.path=対話 データ.json", "training.learning_rate=1e-3"])
        #expect(run.lora == nil)
        #expect(run.training.maxSteps == 7)
        #expect(run.training.maxGradientNorm == nil)
        #expect(run.training.learningRate == 1e-3)
        let again = try RunConfiguration.read(yaml: run.yaml, name: "again.yaml")
        #expect(again.yaml == run.yaml)
        #expect(again.data.path == "対話 データ.json")
    }

    @Test(arguments: [
        ("training: {learning_rat: 1}", "training.learning_rate"), ("trainig: {}", "`training`"),
        ("training: {learning_rate: fast}", "a number of 0 or more"),
        ("lora: {r: 0}", "a whole number from 1 to 65536"),
        ("lora: {r: 1000000000}", "from 1 to 65536"), ("base_output_dir: null", "`base_output_dir` is null"),
        ("data:\n  path: null", "run.yaml:3: `data.path` is null"), ("lora: {r: [1, 2]}", "is [1, 2];"),
        ("lora: {rank_pattern: {v_proj: [3]}}", "is {v_proj: [3]};"),
        ("training: {num_train_epochs: 1e300}", "up to a million"),
        ("training: {per_device_train_batch_size: 9e18}", "from 1 to 1000000000"),
        ("training: {dataloader_num_workers: 9223372036854775807}", "from 0 to 1000"),
        ("data: {loss_on: some}", "all, completions"),
        ("training: {fsdp: true}", "do not divide the model's weights"),
        ("training: [1]", "must be a mapping"), ("training: {learning_rate: 1", "is not YAML"),
        ("monitor: {grad_norm_bounds: [2, 1]}", "the lower one first"),
        ("monitor: {alerts: {confidence: 0.2}}", "`monitor.alerts.confidence` is 0.2"),
        ("monitor: {alerts: {spike_zscore: 2}}", "monitor.alerts.spike_z_score"),
        ("monitor: {alerts: 3}", "must be a mapping"),
        ("monitor: {on_alert: command}", "monitor.alert_command"),
        ("training: {warmup_steps: 9, max_steps: 5}", "warmup_steps"),
        ("training: {warmup_steps: 1.5}", "or a fraction of all steps above 0 and below 1"),
        ("training: {save_steps: 0}", "from 1 to 1000000000, or a fraction"),
        ("training: {metric_for_best_model: eval_bleu}", "with or without eval_ before it"),
        ("training: {push_to_hub: true}", "`training.push_to_hub: true` is not supported: Meno does not upload models"),
        ("model: {name_or_path: m, load_in_4bit: true, load_in_8bit: true}", "contradict each other"),
        ("model: {name_or_path: m, load_in_4bit: true, weights: packed}", "`model.weights: packed`"),
        ("model: {name_or_path: m, load_in_4bit: true}\nlora: null", "quantised ones cannot be trained"),
        ("model: {name_or_path: m, bnb_4bit_quant_type: int4}", "nf4, fp4"),
        ("model: {name_or_path: m, bnb_4bit_compute_dtype: float16}", "float16 training needs loss scaling"),
        (
            "model: {name_or_path: m, dtype: float32, bnb_4bit_compute_dtype: bfloat16}",
            "contradicts weights that are float32"
        ),
        ("lora: {bias: all}", "`lora.bias: all` is not supported"),
        ("lora: {init_lora_weights: pissa}", "init_adapter"),
        ("lora: {target_modules: \"(q_proj\"}", "a regular expression"),
        ("training: {train_sampling_strategy: longest}", "random, sequential, group_by_length"),
        ("training: {train_sampling_strategy: sequential, group_by_length: true}", "is written twice"),
        ("training: {lr_scheduler_kwargs: {power: 3}}", "has no `power`. It takes num_cycles"),
        ("training: {lr_scheduler_type: linear, lr_scheduler_kwargs: {num_cycles: 1}}", "It takes no such keys"),
        ("training: {lr_scheduler_kwargs: {min_lr_ratio: 0.1}}", "lr_scheduler_type: cosine` has no `min_lr_ratio`"),
        (
            "training: {lr_scheduler_type: cosine_with_restarts, lr_scheduler_kwargs: {num_cycles: 1.5}}",
            "`num_cycles` (1.5)"
        ),
        ("training: {eval_strategy: steps}\ndata: {path: d, max_eval_samples: 0}", "max_eval_samples"),
    ])
    func whatIsWrongIsNamed(yaml: String, expected: String) {
        let others = ["model": "model: {name_or_path: m}\n", "data": "data: {path: d.json}\n"]
        let text = others.filter { !("\n" + yaml).contains("\n\($0.key):") }.map(\.value).sorted().joined() + yaml
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(yaml: text, name: "run.yaml")
        }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("run.yaml") == true)
    }

    @Test func aMonitorIsConfiguredAndSwitchedOff() throws {
        let run = try RunConfiguration.read(
            yaml: minimal + "monitor: {window_size: 3, probes: {when: never}, alerts: null}\n", name: "run.yaml")
        #expect(run.monitor.thresholds.windowSize == 3 && run.monitor.probing == .never && run.monitor.isEnabled)
        #expect(try RunConfiguration.read(yaml: run.yaml, name: "again.yaml").yaml == run.yaml)
        let off = try RunConfiguration.read(yaml: minimal + "monitor: null\n", name: "run.yaml")
        #expect(!off.monitor.isEnabled)
        // It watches and changes nothing: a run may be resumed with another.
        #expect(run.resultSettings == off.resultSettings)
    }

    @Test func aSectionThatIsSwitchedOffTakesNoKeys() throws {
        for (yaml, overrides, section) in [
            ("monitor: null", ["monitor.window_size=3"], "monitor"), ("lora: null", ["lora.r=5"], "lora"),
            ("", ["lora=null", "lora.r=5"], "lora"),
            ("monitor: {enabled: false}", ["monitor.window_size=3"], "monitor"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try RunConfiguration.read(yaml: minimal + yaml, name: "run.yaml", overrides: overrides)
            }
            #expect(error?.advice?.contains("\(section)={}") == true && error?.place == "--set \(overrides.last ?? "")")
        }
        let on = try RunConfiguration.read(
            yaml: minimal + "lora: null\nmonitor: null", name: "run.yaml",
            overrides: ["lora={}", "lora.r=5", "monitor={}"])
        #expect(on.lora?.rank == 5 && on.monitor.isEnabled)
    }

    @Test(arguments: [
        ("lora: null\nlora.r: 4", "`lora.r` (run.yaml:4)"), ("lora.r: 4\nlora: null", "`lora` is switched off"),
        ("monitor: null\nmonitor.window_size: 3", "`monitor.window_size`"),
        ("training: {max_steps: 3}\ntraining.max_steps: 4", "`training.max_steps` is written twice"),
        ("training: {no_cuda: false, use_cpu: true}", "`training.use_cpu` is an alias"),
        ("training: {evaluation_strategy: no}\ntraining.eval_strategy: epoch", "first at run.yaml:3"),
    ]) func keysOfAFileThatContradictEachOtherAreNamed(_ yaml: String, _ expected: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(yaml: minimal + yaml, name: "run.yaml")
        }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
        // An override says another thing than the file on purpose, and the later one than the earlier.
        let overrides = ["training.max_steps=4", "training={max_steps: 5}", "training.max_steps=6"]
        let run = try RunConfiguration.read(
            yaml: minimal + "training: {max_steps: 3}", name: "run.yaml", overrides: overrides)
        #expect(run.training.maxSteps == 6)
    }

    @Test func anyTextIsReadBackAsItIs() throws {
        let controls = (UInt32(1)...0xFF).compactMap(Unicode.Scalar.init).map(String.init).joined()
        for text in [controls, "a\r\nb\rc\n", "\u{85}\u{2028}\u{2029}x\u{FEFF}\u{FFFE}\u{FFFF}", "勇気 👍\"\\"] {
            var run = try RunConfiguration.read(yaml: minimal, name: "run.yaml")
            run.data.path = text
            let again = try RunConfiguration.read(yaml: run.yaml, name: "again.yaml")
            #expect(Array(again.data.path.utf8) == Array(text.utf8), "\(text.debugDescription)")
        }
    }

    @Test func aSectionHasNoValue() {
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(yaml: minimal, name: "run.yaml", overrides: ["training=3"])
        }
        #expect(error?.description.contains("is a section") == true, "\(error?.description ?? "")")
        let inner = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(yaml: minimal, name: "run.yaml", overrides: ["lora={r: 0}"])
        }
        #expect(inner?.place == "--set lora={r: 0}")
    }

    @Test func whatIsLongIsToldInShort() {
        for yaml in ["a: [\(String(repeating: "x", count: 5000))", "lora: {r: \(String(repeating: "9", count: 5000))}"]
        {
            let error = #expect(throws: ConfigurationError.self) {
                try RunConfiguration.read(yaml: minimal + yaml, name: "run.yaml")
            }
            #expect((error?.description.count ?? 9999) < 500)
        }
    }

    @Test func aKeyOfTheFileIsFoundByItsLine() {
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(yaml: minimal + "training:\n  learning_rate: fast\n", name: "run.yaml")
        }
        #expect(error?.place == "run.yaml:4")
    }

    @Test func aMissingModelOrFileIsAnError() {
        #expect(throws: ConfigurationError.self) { try RunConfiguration.read(yaml: "", name: "run.yaml") }
        let error = #expect(throws: ConfigurationError.self) {
            try RunConfiguration.read(URL(filePath: "/nowhere/run.yaml"))
        }
        #expect(error?.code == .notFound)
    }

    @Test func aRunThatGoesOnFromAnAdapterHasItsSettings() throws {
        var adapter = LoRASettings(rank: 4, alpha: 8, dropout: 0, targets: .names(["v_proj", "q_proj"]))
        adapter.usesDoRA = true
        func run(_ keys: String) throws -> RunConfiguration {
            try RunConfiguration.read(yaml: minimal + "lora: {init_adapter: first\(keys)}", name: "run.yaml")
                .adopting(adapter)
        }
        let adopted = try run("")
        #expect(adopted.lora?.rank == 4 && adopted.lora?.usesDoRA == true && adopted.lora?.dropout == 0)
        #expect(adopted.lora?.targetModules == ["q_proj", "v_proj"] && adopted.lora?.initialAdapter == "first")
        // What was written can be run again, and names in another order are the same.
        let again = try RunConfiguration.read(yaml: adopted.yaml, name: "again.yaml").adopting(adapter)
        #expect(again.yaml == adopted.yaml)
        #expect(try run(", r: 4, target_modules: [v_proj, q_proj]").lora?.targetModules == ["v_proj", "q_proj"])
        for (key, value) in [
            ("r", "8"), ("lora_dropout", "0.1"), ("modules_to_save", "[norm]"), ("use_dora", "false"),
            ("layers_to_transform", "[0]"), ("rank_pattern", "{q_proj: 2}"), ("target_modules", "[k_proj]"),
        ] {
            let error = #expect(throws: ConfigurationError.self) { try run(", \(key): \(value)") }
            #expect(error?.place == "lora.\(key)" && error?.message.contains("has ") == true, "\(key)")
        }
    }

    /// An adapter keeps names that were said in another way.
    @Test func settingsThatMeanTheSameAreNotContradicted() throws {
        let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        var adapter = LoRASettings(rank: 8, alpha: 16, dropout: 0, targets: .names(all))
        adapter.modulesToSave = ["lm_head", "model.embed_tokens", "model.norm"]
        let keys = "lora: {init_adapter: first, target_modules: all-linear, modules_to_save: [norm, embed_tokens]}"
        let adopted = try RunConfiguration.read(yaml: minimal + keys, name: "run.yaml").adopting(adapter)
        #expect(adopted.lora?.targetModules == ["all-linear"])
        #expect(adopted.lora?.modulesToSave == ["norm", "embed_tokens"])
    }

    /// Checkpoints of versions without the key are resumed where it says nothing.
    @Test func laterKeysAreSettingsOnlyWhereTheySaySomething() throws {
        let read = { (lora: String) in try RunConfiguration.read(yaml: minimal + "lora: \(lora)", name: "run.yaml") }
        #expect(try read("{r: 4}").resultSettings["lora.exclude_modules"] == nil)
        #expect(try read("null").resultSettings["lora.exclude_modules"] == nil)
        let excluding = try read("{r: 4, exclude_modules: v_proj}")
        #expect(excluding.resultSettings["lora.exclude_modules"] == "[v_proj]")
        var adapter = LoRASettings(rank: 4, alpha: 16, dropout: 0.1, targets: .names(["k_proj", "q_proj", "v_proj"]))
        adapter.excludedModules = .pattern(".*mlp.*")
        #expect(try read("{init_adapter: a}").adopting(adapter).lora?.excludedModules == [".*mlp.*"])
        let error = #expect(throws: ConfigurationError.self) {
            try read("{init_adapter: a, exclude_modules: v_proj}").adopting(adapter)
        }
        #expect(error?.place == "lora.exclude_modules")
    }

    @Test func everyKeyReadsItsOwnExample() throws {
        for key in ConfigurationKey.all {
            // A command says nothing without the key that asks for it.
            let others = key.path == "monitor.alert_command" ? ["monitor.on_alert=command"] : []
            // Sources stand instead of a path.
            let yaml = key.path == "data.sources" ? "model: {name_or_path: m}\n" : minimal
            _ = try RunConfiguration.read(
                yaml: yaml, name: "run.yaml", overrides: others + ["\(key.path)=\(key.example)"])
        }
    }

    @Test func theReferencePageIsUpToDate() throws {
        let page = Fixtures.repository.appending(path: "Documentation/keys.md")
        #expect(
            try String(contentsOf: page, encoding: .utf8) == ConfigurationKey.reference,
            "run ./meno keys > Documentation/keys.md")
    }

    @Test func mutatedFilesAreErrorsAndNeverCrash() {
        var generator = SeededGenerator(seed: 11)
        let original = Array(RunConfiguration.notebook.yaml.utf8)
        for _ in 0..<2_000 {
            let text = String(decoding: mutated(original, using: &generator), as: UTF8.self)
            _ = try? RunConfiguration.read(yaml: text, name: "mutated.yaml")
        }
    }

    private func read(_ yaml: String, _ overrides: [String] = []) throws -> RunConfiguration {
        try RunConfiguration.read(yaml: minimal + yaml, name: "run.yaml", overrides: overrides)
    }

    /// Every field of transformers' `TrainingArguments` and PEFT's `LoraConfig` (`Tests/Reference/make_configuration.py`) is a
    /// key, another name of one, or known; and with its default it asks for nothing that is refused.
    @Test func everyFieldOfTrainerAndPEFTIsKnown() throws {
        let url = Fixtures.url("configuration/fields.json")
        let object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        for (section, least) in [("training", 110), ("lora", 40)] {
            let fields = try #require(object[section] as? [String: Any])
            #expect(fields.count > least)
            for (name, value) in fields {
                // Those that must have a value here.
                if ["output_dir", "target_modules"].contains(name) {
                    #expect(throws: ConfigurationError.self) { try read("\(section): {\(name): null}") }
                    continue
                }
                let text = try JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed])
                #expect(throws: Never.self, "\(section).\(name)") {
                    try read("\(section): {\(name): \(String(decoding: text, as: UTF8.self))}")
                }
            }
        }
    }

    /// Keys as transformers of either generation writes them.
    @Test func namesAndValuesOfBothGenerationsMeanTheSame() throws {
        for (other, own) in [
            ("metric_for_best_model: eval_loss", "metric_for_best_model: loss"),
            ("metric_for_best_model: eval_mean_token_accuracy", "metric_for_best_model: token_accuracy"),
            ("metric_for_best_model: eval_completion_loss", "metric_for_best_model: completion_loss"),
            ("eval_strategy: epoch", "evaluation_strategy: epoch"), ("use_cpu: true", "no_cuda: true"),
            ("train_sampling_strategy: group_by_length", "group_by_length: true"),
            ("torch_empty_cache_steps: 7", "memory_clear_interval: 7"), ("neftune_noise_alpha: null", ""),
            ("per_gpu_train_batch_size: 3", "per_device_train_batch_size: 3"),
            ("warmup_steps: 20.0", "warmup_steps: 20"), ("save_steps: 1e2", "save_steps: 100"),
            // No ratio beside it: none in transformers 5, and 0 by default before.
            ("warmup_steps: 0", "warmup_ratio: 0"),
        ] {
            #expect(try read("training: {\(other)}").yaml == read("training: {\(own)}").yaml, "\(other)")
        }
        #expect(
            try read("training: {output_dir: out, seed: 7, max_seq_length: 9}").yaml
                == read("base_output_dir: out\ndata.seed: 7\ndata.max_length: 9").yaml)
        #expect(try read("training: {train_sampling_strategy: sequential}").data.shuffle == false)
        #expect(try read("training: {warmup_steps: 0, warmup_ratio: 0.2}").training.warmupRatio == 0.2)
        #expect(try read("training: {warmup_ratio: 0.2}", ["training.warmup_steps=0"]).training.warmupRatio == 0.2)
    }

    @Test func stepsAreGivenAsShares() throws {
        let run = try read("training: {save_steps: 0.1, eval_steps: 0.25, logging_steps: 0.05, warmup_steps: 0.03}")
        let training = run.training
        #expect(training.saveSteps == .share(0.1) && training.evaluationSteps == .share(0.25))
        #expect(training.loggingSteps == .share(0.05) && training.warmupSteps == .share(0.03))
        #expect(training.learningRates(totalSteps: 100).warmupSteps == 3)
        #expect(try RunConfiguration.read(yaml: run.yaml, name: "again.yaml").yaml == run.yaml)
        #expect(try read("training: {eval_steps: null}").training.evaluationSteps == nil)
    }

    @Test func layersAreNamedByARegularExpression() throws {
        let pattern = #".*layers\.[0-3]\..*(q|v)_proj"#
        let run = try read("lora: {target_modules: '\(pattern)'}")
        #expect(run.lora?.settings.targets == .pattern(pattern))
        let again = try RunConfiguration.read(yaml: run.yaml, name: "again.yaml")
        #expect(again.lora?.settings.targets == .pattern(pattern) && again.yaml == run.yaml)
        #expect(try read("lora: {target_modules: all-linear}").lora?.settings.targets == .allLinear)
        #expect(
            try read("lora: {target_modules: self_attn.q_proj}").lora?.settings.targets == .names(["self_attn.q_proj"]))
        // An adapter that was made by it can be trained further.
        let adapter = LoRASettings(rank: 8, alpha: 16, dropout: 0.1, targets: .pattern(pattern))
        let adopted = try read("lora: {init_adapter: first, target_modules: '\(pattern)'}").adopting(adapter)
        #expect(adopted.lora?.settings.targets == .pattern(pattern))
    }

    /// Checkpoints of older versions do not tell keys that have come since.
    @Test func laterKeysAreTheSameAsTheirDefaults() throws {
        #expect(try read("").resultSettings["training.dataloader_drop_last"] == nil)
        #expect(
            try read("training: {dataloader_drop_last: true}").resultSettings["training.dataloader_drop_last"] == "true"
        )
        #expect(
            try read("training: {save_only_model: true, save_steps: 0.5}").resultSettings == read("").resultSettings)
    }
}
