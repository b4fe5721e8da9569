public import Foundation
internal import MenoFormats
internal import MenoTensor

/// Adapters on disk, as PEFT reads and writes them: `adapter_config.json` and `adapter_model.safetensors`.
public enum LoRAFiles {
    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"
    static let prefix = "base_model.model."

    // MARK: Writing

    /// - Parameters:
    ///   - baseModel: what the adapter was trained on, for `base_model_name_or_path`.
    ///   - isTextPart: whether that is the text model of a multimodal one.
    static func writeConfiguration(
        _ settings: LoRASettings, baseModel: String, isTextPart: Bool, to folder: URL
    ) throws {
        let url = folder.appending(path: configurationName)
        try WholeFile.write(configuration(settings, baseModel: baseModel, isTextPart: isTextPart), to: url)
    }

    private static func configuration(
        _ settings: LoRASettings, baseModel: String, isTextPart: Bool
    ) throws -> Data {
        var layers = settings.layersToTransform
        var targets: Any =
            switch settings.targets {
            case .names(let names): names
            case .pattern(let pattern): pattern
            case .allLinear: LoRATargets.linearNames
            }
        if isTextPart, let names = targets as? [String] {
            targets = textPartPattern(names, layers: layers)
            // PEFT takes a list of layers beside names only.
            layers = nil
        }
        let alpha: Any = Int(exactly: settings.alpha) ?? settings.alpha
        var object: [String: Any] = [
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": baseModel, "bias": "none",
            "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "r": settings.rank,
            "lora_alpha": alpha, "lora_dropout": settings.dropout, "target_modules": targets,
            "use_rslora": settings.usesRankStabilization, "use_dora": settings.usesDoRA,
        ]
        if let layers { object["layers_to_transform"] = layers }
        if !settings.modulesToSave.isEmpty { object["modules_to_save"] = settings.modulesToSave }
        object["rank_pattern"] = settings.rankPattern.dictionary
        object["alpha_pattern"] = settings.alphaPattern.dictionary
        return try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    /// Names of layers, as a regular expression that leaves out the layers of the same names in a multimodal model's other parts.
    private static func textPartPattern(_ names: [String], layers: [Int]?) -> String {
        let escaped = { (name: String) in name.replacing(".", with: "\\.") }
        let prefix = escaped(ModuleNames.partPrefix)
        let chosen = layers.map { "layers\\.(" + $0.map(String.init).joined(separator: "|") + ")\\." } ?? ""
        return "(?=\(prefix)\(chosen))(.*\\.)?(\(names.map(escaped).joined(separator: "|")))"
    }

    /// What ``textPartPattern(_:layers:)`` was made of; `nil` for another expression.
    private static func parts(ofTextPartPattern pattern: String) -> (names: [String], layers: [Int]?)? {
        let form = #/\(\?=model\\\.language_model\\\.(?:layers\\\.\(([0-9|]+)\)\\\.)?\)\(\.\*\\\.\)\?\((.+)\)/#
        guard let match = pattern.wholeMatch(of: form) else { return nil }
        let names = match.2.split(separator: "|").map { String($0.replacing("\\.", with: ".")) }
        let layers = match.1.map { $0.split(separator: "|").compactMap { Int($0) } }
        return textPartPattern(names, layers: layers) == pattern ? (names, layers) : nil
    }

    // MARK: Reading

    /// Keys that are read, and those that say how an adapter was trained and change nothing of what it computes.
    private static let knownKeys: Set<String> = [
        "peft_type", "fan_in_fan_out", "target_modules", "r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora",
        "layers_to_transform", "modules_to_save", "rank_pattern", "alpha_pattern", "bias", "init_lora_weights",
        "ensure_weight_tying", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "peft_version",
        "inference_mode", "exclude_modules", "layers_pattern", "megatron_config", "megatron_core", "loftq_config",
        "eva_config", "corda_config", "lora_ga_config", "velora_config", "qalora_group_size", "runtime_config",
    ]
    /// Ways in which PEFT begins an adapter, and leaves the model's own weights alone.
    private static let plainInitializations = ["gaussian", "eva", "orthogonal"]

    private static func refuseUnsupported(_ json: ConfigurationJSON) throws {
        try json.refuse("fan_in_fan_out")
        if let bias = try json.string("bias"), bias != "none" {
            throw ModelError(
                .unsupported, path: json.path, "\"bias\": \"\(bias)\" is not supported: biases are frozen.",
                advice: "Name whole modules in modules_to_save to train their biases.")
        }
        if let way = try? json.string("init_lora_weights"), !plainInitializations.contains(way.lowercased()) {
            throw ModelError(
                .unsupported, path: json.path,
                "\"init_lora_weights\": \"\(way)\" is not supported: it changes the weights of the model itself.",
                advice: "Convert the adapter by PEFT's "
                    + "save_pretrained(…, path_initial_model_for_weight_conversion=…).")
        }
        if let key = json.keys.first(where: { !knownKeys.contains($0) && json.isSet($0) }) {
            throw ModelError(.unsupported, path: json.path, "\"\(key)\" is not supported.")
        }
    }

    /// Reads `adapter_config.json`; what it asks for and Meno does not compute is an error.
    public static func settings(in folder: URL) throws -> LoRASettings {
        try requireAdapter(folder)
        let json = try ConfigurationJSON(contentsOf: folder.appending(path: configurationName))
        let type = try json.string("peft_type") ?? "LORA"
        guard type == "LORA" else {
            throw ModelError(.unsupported, path: json.path, "\"peft_type\" is \"\(type)\"; only LORA is supported.")
        }
        try refuseUnsupported(json)
        let targets: LoRATargets
        var layers = try json.ints("layers_to_transform")
        if let names = try? json.strings("target_modules") {
            targets = .names(names)
        } else {
            let pattern = try json.required("target_modules", json.string)
            if let parts = parts(ofTextPartPattern: pattern) {
                targets = .names(parts.names)
                layers = layers ?? parts.layers
            } else {
                targets = pattern == "all-linear" ? .allLinear : .pattern(pattern)
            }
        }
        var settings = try LoRASettings(
            rank: json.required("r", json.int), alpha: json.required("lora_alpha", json.double),
            dropout: json.double("lora_dropout") ?? 0, targets: targets,
            usesRankStabilization: json.bool("use_rslora") ?? false)
        settings.usesDoRA = try json.bool("use_dora") ?? false
        settings.layersToTransform = layers
        settings.modulesToSave = try (json.strings("modules_to_save") ?? []).map(ModuleNames.alone)
        if let section = try json.section("rank_pattern") {
            settings.rankPattern = try LayerPatterns(section.keys.map { ($0, try section.required($0, section.int)) })
        }
        if let section = try json.section("alpha_pattern") {
            settings.alphaPattern = try LayerPatterns(
                section.keys.map { ($0, try section.required($0, section.double)) })
        }
        return try settings.validated()
    }

    private static func requireAdapter(_ folder: URL) throws {
        let hasFile = { (url: URL) in FileManager.default.fileExists(atPath: url.path) }
        guard !hasFile(folder.appending(path: configurationName)) else { return }
        let inner = folder.appending(path: "model")
        let isRun = hasFile(inner.appending(path: configurationName))
        throw ModelError(
            .notFound, path: folder.path,
            hasFile(folder) ? "is no adapter: it holds no \(configurationName)." : "there is no such adapter.",
            advice: isRun
                ? "It is a run's folder; its adapter is in \(inner.path)."
                : "An adapter is a folder with \(configurationName) and \(weightsName); a run's is RUN_DIR/model, and each of "
                    + "its checkpoints is one.")
    }

    /// Attaches a saved adapter to a model.
    ///
    /// Which layers are adapted is read from the tensors' names; every tensor must find its layer and fit it. Names may be those
    /// of a text model alone or of a part (``ModuleNames``), whatever the model is.
    /// - Returns: the adapter's settings.
    @discardableResult
    public static func attach(_ folder: URL, to model: Decoder) throws -> LoRASettings {
        var settings = try settings(in: folder)
        settings.modulesToSave = model.withTiedModules(settings.modulesToSave)
        let tensors = try SavedTensors(
            folder, device: model.device, advice: "Was the adapter trained on another model?")
        try checkTiedHead(of: model, in: tensors, folder)
        var attached = 0
        for (layer, linear) in model.linears {
            let (down, up, magnitude) = (
                "\(layer).lora_A.weight", "\(layer).lora_B.weight", "\(layer).lora_magnitude_vector"
            )
            guard let saved = tensors.savedName(down) ?? tensors.savedName(up) else { continue }
            // Patterns speak of the layers by the names of the model that the adapter was trained on.
            let name = String(saved.dropLast(".lora_A.weight".count))
            let rank = try settings.rank(of: name)
            linear.adapter = LoRAAdapter(
                down: try tensors.take(down, [rank, linear.inFeatures]),
                up: try tensors.take(up, [linear.outFeatures, rank]),
                magnitude: settings.usesDoRA ? try tensors.take(magnitude, [linear.outFeatures]) : nil,
                scaling: try settings.scaling(of: name), dropout: settings.dropout)
            attached += 1
        }
        try model.refuseLayersSavedWhole(settings)
        for parameter in model.parameters where model.isSaved(parameter, settings) && tensors.has(parameter.name) {
            try parameter.train(tensors.take(parameter.name, parameter.tensor.shape).tensor)
        }
        try tensors.requireAll()
        guard attached > 0 else { throw ModelError(.malformed, path: tensors.path, "holds no adapter.") }
        return settings
    }

    /// Puts the values of a file back into a model that has its adapters and modules; none may be missing or left over.
    static func restore(_ model: Decoder, from folder: URL) throws {
        let tensors = try SavedTensors(
            folder, device: model.device, advice: "Was the checkpoint made with another model or other adapters?")
        try checkTiedHead(of: model, in: tensors, folder)
        try withoutGradient {
            for parameter in model.trainedParameters {
                try parameter.tensor.copy_(tensors.take(parameter.name, parameter.tensor.shape).tensor)
            }
        }
        try tensors.requireAll()
    }

    /// Where the head is the embedding, both must have the same values in the adapter.
    ///
    /// PEFT trains a copy of the one that is named, and the other stays as it was, unless `ensure_weight_tying` is set.
    private static func checkTiedHead(of model: Decoder, in tensors: SavedTensors, _ folder: URL) throws {
        let (head, embedding) = ("lm_head.weight", model.embedding.name)
        guard model.configuration.tiesEmbeddings, tensors.has(head) || tensors.has(embedding) else { return }
        let json = try ConfigurationJSON(contentsOf: folder.appending(path: configurationName))
        if try !tensors.has(head) && json.bool("ensure_weight_tying") ?? false { return }
        let values = { (name: String) in
            tensors.has(name)
                ? try tensors.read(name, model.embedding.tensor.shape) : try model.embedding.tensor.to(.float32)
        }
        let isSame = try withoutGradient { try (values(head) - values(embedding)).abs().max().item() == 0 }
        guard isSame else {
            let (what, name) = tensors.has(head) ? ("a head", head) : ("an embedding", embedding)
            throw ModelError(
                .unsupported, path: tensors.path,
                "has \(what) (\"\(name)\") of its own; "
                    + "the model's head is its embedding, and both must be the same.",
                advice: "Train with modules_to_save: [embed_tokens, lm_head], tied.")
        }
        tensors.passOver(head)
    }
}
