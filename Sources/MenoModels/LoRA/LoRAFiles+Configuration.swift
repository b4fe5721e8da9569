package import Foundation
internal import MenoFormats

/// `adapter_config.json`.
extension LoRAFiles {
    // MARK: Writing

    /// - Parameters:
    ///   - baseModel: the model that the adapter was trained on, for `base_model_name_or_path`.
    ///   - revision: its commit; `nil` if it did not come from the Hub.
    ///   - isTextPart: whether that is the text part of a multimodal model.
    static func writeConfiguration(
        _ settings: LoRASettings, baseModel: String, revision: String?, isTextPart: Bool, to folder: URL
    ) throws {
        let data = try configuration(settings, baseModel: baseModel, revision: revision, isTextPart: isTextPart)
        try WholeFile.write(data, to: folder.appending(path: configurationName))
    }

    private static func configuration(
        _ settings: LoRASettings, baseModel: String, revision: String?, isTextPart: Bool
    ) throws -> Data {
        var layers = settings.layersToTransform
        var targets = json(settings.targets)
        if isTextPart, let names = targets as? [String] {
            targets = textPartPattern(names, layers: layers)
            // PEFT accepts a list of layers only together with names.
            layers = nil
        }
        let alpha: Any = Int(exactly: settings.alpha) ?? settings.alpha
        var object: [String: Any] = [
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": baseModel, "bias": "none",
            "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "r": settings.rank,
            "lora_alpha": alpha, "lora_dropout": settings.dropout, "target_modules": targets,
            "use_rslora": settings.usesRankStabilization, "use_dora": settings.usesDoRA,
        ]
        if let revision { object["revision"] = revision }
        if !settings.targetParameters.isEmpty { object["target_parameters"] = settings.targetParameters }
        if let layers { object["layers_to_transform"] = layers }
        if let excluded = settings.excludedModules { object["exclude_modules"] = json(excluded) }
        if !settings.modulesToSave.isEmpty { object["modules_to_save"] = settings.modulesToSave }
        // Older versions of PEFT do not know this key, so it is written only if it is set.
        if settings.ensuresWeightTying { object["ensure_weight_tying"] = true }
        object["rank_pattern"] = settings.rankPattern.dictionary
        object["alpha_pattern"] = settings.alphaPattern.dictionary
        return try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    private static func json(_ targets: LoRATargets) -> Any {
        switch targets {
        case .names(let names): names
        case .pattern(let pattern): pattern
        case .allLinear: "all-linear"
        }
    }

    /// A regular expression for layers with these names in the text part of a multimodal model only.
    private static func textPartPattern(_ names: [String], layers: [Int]?) -> String {
        let escaped = { (name: String) in name.replacing(".", with: "\\.") }
        let prefix = escaped(ModuleNames.partPrefix)
        let chosen = layers.map { "layers\\.(" + $0.map(String.init).joined(separator: "|") + ")\\." } ?? ""
        return "(?=\(prefix)\(chosen))(.*\\.)?(\(names.map(escaped).joined(separator: "|")))"
    }

    /// The names and layers in an expression from ``textPartPattern(_:layers:)``; `nil` for any other expression.
    private static func parts(ofTextPartPattern pattern: String) -> (names: [String], layers: [Int]?)? {
        let form = #/\(\?=model\\\.language_model\\\.(?:layers\\\.\(([0-9|]+)\)\\\.)?\)\(\.\*\\\.\)\?\((.+)\)/#
        guard let match = pattern.wholeMatch(of: form) else { return nil }
        let names = match.2.split(separator: "|").map { String($0.replacing("\\.", with: ".")) }
        let layers = match.1.map { $0.split(separator: "|").compactMap { Int($0) } }
        return textPartPattern(names, layers: layers) == pattern ? (names, layers) : nil
    }

    // MARK: Reading

    /// Keys that are read, and keys that do not change what an adapter computes: initialization, training, and parameters of
    /// methods that another key turns on. The fields of PEFT 0.21's `LoraConfig` that are missing here are refused if they are
    /// set.
    private static let knownKeys: Set<String> = [
        "peft_type", "fan_in_fan_out", "target_modules", "target_parameters", "r", "lora_alpha", "lora_dropout",
        "use_rslora", "use_dora",
        "layers_to_transform", "modules_to_save", "rank_pattern", "alpha_pattern", "bias", "init_lora_weights",
        "ensure_weight_tying", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version",
        "inference_mode", "exclude_modules", "layers_pattern", "megatron_config", "megatron_core", "loftq_config",
        "eva_config", "corda_config", "lora_ga_config", "velora_config", "qalora_group_size", "runtime_config",
    ]
    /// PEFT's initializations that do not change the model's weights.
    private static let plainInitializations = ["gaussian", "eva", "orthogonal", "mica"]

    private static func refuseUnsupported(_ json: ConfigurationJSON) throws {
        if let bias = try json.string("bias"), bias != "none" {
            throw ModelError(
                .unsupported, at: json.path, "\"bias\": \"\(bias)\" is not supported: biases are frozen.",
                advice: "Name whole modules in modules_to_save to train their biases.")
        }
        if let way = try? json.string("init_lora_weights"), !plainInitializations.contains(way.lowercased()) {
            throw ModelError(
                .unsupported, at: json.path,
                "\"init_lora_weights\": \"\(way)\" is not supported: it changes the weights of the model itself.",
                advice: "Convert the adapter with PEFT's "
                    + "save_pretrained(…, path_initial_model_for_weight_conversion=…).")
        }
        if let key = json.keys.first(where: { !knownKeys.contains($0) && json.isSet($0) && !json.isNumber($0) }) {
            throw ModelError(
                .unsupported, at: json.path, "\"\(key)\" is not supported.",
                advice: "It can change what the adapter computes. Meno supports LoRA as in PEFT 0.21, without it.")
        }
    }

    /// A number is a parameter of a method that another key turns on, and PEFT writes such parameters even if the method is off.
    private static func unknownNumbers(_ json: ConfigurationJSON) -> [String] {
        json.keys.filter { !knownKeys.contains($0) && json.isNumber($0) }.map { key in
            let value = (try? json.double(key)).flatMap { $0 } ?? 0
            let text = Int(exactly: value).map(String.init) ?? "\(value)"
            return
                "\(json.path): \"\(key)\": \(text) is unknown to Meno and ignored. "
                + "PEFT writes such values even for methods that are off; an adapter that needs this one computes something else"
        }
    }

    /// Reads `adapter_config.json`; throws for a setting that Meno does not support.
    /// - Parameter warn: called with a message for each ignored setting.
    package static func settings(in folder: URL, warn: (String) -> Void = { _ in }) throws -> LoRASettings {
        try requireAdapter(folder)
        let json = try ConfigurationJSON(contentsOf: folder.appending(path: configurationName))
        if MLXAdapter.isOne(json) { return try MLXAdapter.settings(json, in: folder) }
        let type = try json.string("peft_type") ?? "LORA"
        guard type == "LORA" else {
            throw ModelError(.unsupported, at: json.path, "\"peft_type\" is \"\(type)\"; only LORA is supported.")
        }
        try refuseUnsupported(json)
        unknownNumbers(json).forEach(warn)
        var (targets, layers) = try (targets("target_modules", json), json.ints("layers_to_transform"))
        if case .pattern(let pattern) = targets, let parts = parts(ofTextPartPattern: pattern) {
            targets = .names(parts.names)
            layers = layers ?? parts.layers
        }
        let parameters = try json.strings("target_parameters") ?? []
        guard let targets = targets ?? (parameters.isEmpty ? nil : .names([])) else {
            throw ModelError(.malformed, at: json.path, "has no key \"target_modules\".")
        }
        var settings = try LoRASettings(
            rank: json.required("r", json.int), alpha: json.required("lora_alpha", json.double),
            dropout: json.double("lora_dropout") ?? 0, targets: targets,
            usesRankStabilization: json.bool("use_rslora") ?? false)
        settings.usesDoRA = try json.bool("use_dora") ?? false
        settings.targetParameters = parameters
        settings.layersToTransform = layers
        settings.excludedModules = json.isSet("exclude_modules") ? try self.targets("exclude_modules", json) : nil
        settings.modulesToSave = try (json.strings("modules_to_save") ?? []).map(ModuleNames.alone)
        settings.ensuresWeightTying = try json.bool("ensure_weight_tying") ?? false
        if let section = try json.section("rank_pattern") {
            settings.rankPattern = try LayerPatterns(section.keys.map { ($0, try section.required($0, section.int)) })
        }
        if let section = try json.section("alpha_pattern") {
            settings.alphaPattern = try LayerPatterns(
                section.keys.map { ($0, try section.required($0, section.double)) })
        }
        return try settings.validated()
    }

    /// Names, or a regular expression.
    private static func targets(_ key: String, _ json: ConfigurationJSON) throws -> LoRATargets? {
        if let names = try? json.strings(key) { return .names(names) }
        return try json.string(key).map { $0 == "all-linear" ? .allLinear : .pattern($0) }
    }

    private static func requireAdapter(_ folder: URL) throws {
        let hasFile = { (url: URL) in FileManager.default.fileExists(atPath: url.path) }
        guard !hasFile(folder.appending(path: configurationName)) else { return }
        let inner = folder.appending(path: "model")
        let isRun = hasFile(inner.appending(path: configurationName))
        throw ModelError(
            .notFound, at: folder.path,
            hasFile(folder) ? "is not an adapter: it holds no \(configurationName)." : "there is no such adapter.",
            advice: isRun
                ? "This is the folder of a run; its adapter is in \(inner.path)."
                : "An adapter is a folder with \(configurationName) and \(weightsName); a run's is RUN_DIR/model, and each of "
                    + "its checkpoints is one.")
    }
}

extension ConfigurationJSON {
    fileprivate func isNumber(_ key: String) -> Bool {
        // Foundation also takes a boolean for a number, so booleans are excluded first.
        guard has(key), (try? bool(key)).flatMap({ $0 }) == nil else { return false }
        return (try? double(key)).flatMap { $0 } != nil
    }
}
