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
        let alpha: Any = settings.alpha == settings.alpha.rounded() ? Int(settings.alpha) : settings.alpha
        let object: [String: Any] = [
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": baseModel, "bias": "none",
            "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "r": settings.rank,
            "lora_alpha": alpha, "lora_dropout": settings.dropout, "target_modules": targets,
            "use_rslora": settings.usesRankStabilisation, "use_dora": false,
        ]
        return try JSONSerialization.data(
            withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    }

    // MARK: Reading

    /// Reads `adapter_config.json`; what it asks for and Meno does not compute is an error.
    public static func settings(in folder: URL) throws -> LoRASettings {
        let json = try ConfigurationJSON(contentsOf: folder.appending(path: configurationName))
        let type = try json.string("peft_type") ?? "LORA"
        guard type == "LORA" else {
            throw ModelError(.unsupported, path: json.path, "\"peft_type\" is \"\(type)\"; only LORA is supported.")
        }
        for key in ["use_dora", "fan_in_fan_out"] where try json.bool(key) ?? false {
            throw ModelError(.unsupported, path: json.path, "\"\(key)\": true is not supported.")
        }
        for key in ["rank_pattern", "alpha_pattern"] {
            if let section = try json.section(key), !section.isEmpty {
                throw ModelError(.unsupported, path: json.path, "\"\(key)\" is not supported.")
            }
        }
        let targets: LoRATargets
        if let names = try? json.strings("target_modules") {
            targets = .names(names)
        } else {
            let pattern = try json.required("target_modules", json.string)
            targets = pattern == "all-linear" ? .allLinear : .pattern(pattern)
        }
        return try LoRASettings(
            rank: json.required("r", json.int), alpha: json.required("lora_alpha", json.double),
            dropout: json.double("lora_dropout") ?? 0, targets: targets,
            usesRankStabilisation: json.bool("use_rslora") ?? false
        ).validated()
    }

    /// Attaches a saved adapter to a model.
    ///
    /// Which layers are adapted is read from the tensors' names; every tensor must find its layer and fit it.
    /// - Returns: the adapter's settings.
    @discardableResult
    public static func attach(_ folder: URL, to model: Decoder) throws -> LoRASettings {
        let settings = try settings(in: folder)
        let file = try SafetensorsFile(contentsOf: folder.appending(path: weightsName))
        let path = folder.appending(path: weightsName).path
        var remaining = Set(file.weights.map(\.name))
        var attached = 0
        for (layer, linear) in model.linears {
            let (down, up) = ("\(layer).lora_A.weight", "\(layer).lora_B.weight")
            guard remaining.contains(prefix + down) || remaining.contains(prefix + up) else { continue }
            let tensors = try [(down, [settings.rank, linear.inFeatures]), (up, [linear.outFeatures, settings.rank])]
                .map { name, shape in
                    guard let info = file.weight(named: prefix + name) else {
                        throw ModelError(.malformed, path: path, "has no tensor \"\(prefix + name)\".")
                    }
                    guard info.shape == shape else {
                        throw ModelError(
                            .mismatch, path: path,
                            "the tensor \"\(prefix + name)\" has the shape \(info.shape); the model asks for \(shape).",
                            advice: "Was the adapter trained on another model?")
                    }
                    remaining.remove(prefix + name)
                    let tensor = try Tensor(uninitialized: shape, dtype: .float32)
                    try tensor.withMutableBytes { try file.read(prefix + name, as: .float32, into: $0) }
                    return Parameter(name, try tensor.to(model.device).requiringGradient())
                }
            linear.adapter = LoRAAdapter(
                down: tensors[0], up: tensors[1], scaling: settings.scaling, dropout: settings.dropout)
            attached += 1
        }
        if let stray = remaining.min() {
            throw ModelError(
                .mismatch, path: path, "the tensor \"\(stray)\" belongs to no linear layer of the model.",
                advice: "Was the adapter trained on another model?")
        }
        guard attached > 0 else { throw ModelError(.malformed, path: path, "holds no adapter.") }
        return settings
    }
}
