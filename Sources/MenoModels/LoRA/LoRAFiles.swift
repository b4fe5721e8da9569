public import Foundation
internal import MenoFormats
internal import MenoTensor

/// Adapters on disk, as PEFT reads and writes them: `adapter_config.json` and `adapter_model.safetensors`.
public enum LoRAFiles {
    public static let configurationName = "adapter_config.json"
    public static let weightsName = "adapter_model.safetensors"
    static let prefix = "base_model.model."

    // MARK: Writing

    /// - Parameter baseModel: what the adapter was trained on, for `base_model_name_or_path`.
    static func writeConfiguration(_ settings: LoRASettings, baseModel: String, to folder: URL) throws {
        let url = folder.appending(path: configurationName)
        do {
            try configuration(settings, baseModel: baseModel).write(to: url)
        } catch {
            throw ModelError(.malformed, path: url.path, "cannot be written (\(error.localizedDescription)).")
        }
    }

    private static func configuration(_ settings: LoRASettings, baseModel: String) throws -> Data {
        let targets: Any =
            switch settings.targets {
            case .names(let names): names
            case .pattern(let pattern): pattern
            case .allLinear: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
            }
        let alpha: Any = Int(exactly: settings.alpha) ?? settings.alpha
        var object: [String: Any] = [
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": baseModel, "bias": "none",
            "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "r": settings.rank,
            "lora_alpha": alpha, "lora_dropout": settings.dropout, "target_modules": targets,
            "use_rslora": settings.usesRankStabilisation, "use_dora": settings.usesDoRA,
        ]
        if let layers = settings.layersToTransform { object["layers_to_transform"] = layers }
        if !settings.modulesToSave.isEmpty { object["modules_to_save"] = settings.modulesToSave }
        object["rank_pattern"] = settings.rankPattern.dictionary
        object["alpha_pattern"] = settings.alphaPattern.dictionary
        return try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    // MARK: Reading

    /// Reads `adapter_config.json`; what it asks for and Meno does not compute is an error.
    public static func settings(in folder: URL) throws -> LoRASettings {
        try requireAdapter(folder)
        let json = try ConfigurationJSON(contentsOf: folder.appending(path: configurationName))
        let type = try json.string("peft_type") ?? "LORA"
        guard type == "LORA" else {
            throw ModelError(.unsupported, path: json.path, "\"peft_type\" is \"\(type)\"; only LORA is supported.")
        }
        if try json.bool("fan_in_fan_out") ?? false {
            throw ModelError(.unsupported, path: json.path, "\"fan_in_fan_out\": true is not supported.")
        }
        let targets: LoRATargets
        if let names = try? json.strings("target_modules") {
            targets = .names(names)
        } else {
            let pattern = try json.required("target_modules", json.string)
            targets = pattern == "all-linear" ? .allLinear : .pattern(pattern)
        }
        var settings = try LoRASettings(
            rank: json.required("r", json.int), alpha: json.required("lora_alpha", json.double),
            dropout: json.double("lora_dropout") ?? 0, targets: targets,
            usesRankStabilisation: json.bool("use_rslora") ?? false)
        settings.usesDoRA = try json.bool("use_dora") ?? false
        settings.layersToTransform = try json.ints("layers_to_transform")
        settings.modulesToSave = try json.strings("modules_to_save") ?? []
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
    /// Which layers are adapted is read from the tensors' names; every tensor must find its layer and fit it.
    /// - Returns: the adapter's settings.
    @discardableResult
    public static func attach(_ folder: URL, to model: Decoder) throws -> LoRASettings {
        let settings = try settings(in: folder)
        let tensors = try SavedTensors(folder.appending(path: weightsName), device: model.device)
        var attached = 0
        for (layer, linear) in model.linears {
            let (down, up, magnitude) = (
                "\(layer).lora_A.weight", "\(layer).lora_B.weight", "\(layer).lora_magnitude_vector"
            )
            guard tensors.has(down) || tensors.has(up) else { continue }
            let rank = try settings.rank(of: layer)
            linear.adapter = LoRAAdapter(
                down: try tensors.take(down, [rank, linear.inFeatures]),
                up: try tensors.take(up, [linear.outFeatures, rank]),
                magnitude: settings.usesDoRA ? try tensors.take(magnitude, [linear.outFeatures]) : nil,
                scaling: try settings.scaling(of: layer), dropout: settings.dropout)
            attached += 1
        }
        for parameter in model.parameters where model.isSaved(parameter, settings) && tensors.has(parameter.name) {
            try parameter.train(tensors.take(parameter.name, parameter.tensor.shape).tensor)
        }
        try takeTiedHead(of: model, from: tensors)
        if let stray = tensors.remaining.min() {
            throw ModelError(
                .mismatch, path: tensors.path, "the tensor \"\(prefix + stray)\" belongs to no layer of the model.",
                advice: "Was the adapter trained on another model?")
        }
        guard attached > 0 else { throw ModelError(.malformed, path: tensors.path, "holds no adapter.") }
        return settings
    }

    /// A head that is the embedding may be saved beside it, but must be the same.
    private static func takeTiedHead(of model: Decoder, from tensors: SavedTensors) throws {
        guard model.configuration.tiesEmbeddings, tensors.has("lm_head.weight") else { return }
        let head = try tensors.take("lm_head.weight", model.embedding.tensor.shape).tensor
        let isSame = try withoutGradient { try (head - model.embedding.tensor.to(.float32)).abs().max().item() == 0 }
        guard isSame else {
            throw ModelError(
                .unsupported, path: tensors.path,
                "has a head (\"lm_head\") of its own; the model's head is its embedding, and cannot be another.",
                advice: "Train with modules_to_save: [embed_tokens, lm_head], tied.")
        }
    }
}

/// The tensors of an adapter's file, each taken once.
private final class SavedTensors {
    let path: String
    private(set) var remaining: Set<String>
    private let file: SafetensorsFile
    private let device: Device

    init(_ url: URL, device: Device) throws {
        file = try SafetensorsFile(contentsOf: url)
        path = url.path
        self.device = device
        remaining = Set(
            file.weights.map {
                $0.name.hasPrefix(LoRAFiles.prefix) ? String($0.name.dropFirst(LoRAFiles.prefix.count)) : $0.name
            })
    }

    /// - Parameter name: without PEFT's prefix.
    func has(_ name: String) -> Bool { file.weight(named: LoRAFiles.prefix + name) != nil }

    func take(_ name: String, _ shape: [Int]) throws -> Parameter {
        let saved = LoRAFiles.prefix + name
        guard let info = file.weight(named: saved) else {
            throw ModelError(.malformed, path: path, "has no tensor \"\(saved)\".")
        }
        guard info.shape == shape else {
            throw ModelError(
                .mismatch, path: path,
                "the tensor \"\(saved)\" has the shape \(info.shape); the model asks for \(shape).",
                advice: "Was the adapter trained on another model?")
        }
        remaining.remove(name)
        let tensor = try Tensor(uninitialized: shape, dtype: .float32)
        try tensor.withMutableBytes { try file.read(saved, as: .float32, into: $0) }
        return Parameter(name, try tensor.to(device).requiringGradient())
    }
}
