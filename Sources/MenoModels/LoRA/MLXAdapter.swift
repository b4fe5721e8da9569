internal import Foundation
internal import MenoFormats

/// Adapters of mlx-lm: `adapters.safetensors`, and an `adapter_config.json` that holds the options of its training.
///
/// y = W x + scale · Bᵀ(Aᵀ x), with `lora_a` `[in, rank]` and `lora_b` `[rank, out]`: PEFT's matrices transposed, and
/// `scale` instead of α / r (mlx_lm/tuner/lora.py).
enum MLXAdapter {
    static let weightsName = "adapters.safetensors"

    /// Whether a configuration is of mlx-lm.
    static func isOne(_ json: ConfigurationJSON) -> Bool {
        !json.has("peft_type") && (json.has("lora_parameters") || json.has("fine_tune_type"))
    }

    static func settings(_ json: ConfigurationJSON, in folder: URL) throws -> LoRASettings {
        let kind = try json.string("fine_tune_type") ?? (json.bool("use_dora") ?? false ? "dora" : "lora")
        guard ["lora", "dora"].contains(kind) else {
            throw ModelError(
                .unsupported, at: json.path,
                "has \"fine_tune_type\": \"\(kind)\" of mlx-lm, which is not an adapter: it changes the weights themselves.",
                advice: "Fuse it (`mlx_lm.fuse`) and give the folder that it writes as the model.")
        }
        guard let parameters = try json.section("lora_parameters") else {
            throw ModelError(.malformed, at: json.path, "has no key \"lora_parameters\".")
        }
        let rank = try parameters.required("rank", parameters.int)
        let scale = try parameters.required("scale", parameters.double)
        let layers = try layers(in: folder)
        var settings = LoRASettings(
            rank: rank, alpha: scale * Double(rank), dropout: try parameters.double("dropout") ?? 0,
            targets: .names(Set(layers.map { $0.split(separator: ".").suffix(1).joined() }).sorted()))
        settings.usesDoRA = kind == "dora"
        // mlx-lm adapts the last `num_layers`: what the file has is what counts.
        settings.layersToTransform = Set(
            layers.compactMap { $0.split(separator: ".").lazy.compactMap { Int($0) }.first }
        ).sorted()
        return try settings.validated()
    }

    private static func layers(in folder: URL) throws -> [String] {
        let url = folder.appending(path: weightsName)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw ModelError(
                .notFound, at: url.path, "is missing beside an adapter_config.json of mlx-lm.",
                advice: "Copy one of its N_adapters.safetensors to that name.")
        }
        return try SafetensorsFile(contentsOf: url).weights.compactMap { weight in
            weight.name.hasSuffix(".lora_a") ? ModuleNames.alone(String(weight.name.dropLast(".lora_a".count))) : nil
        }
    }

    /// PEFT's name of a tensor, and whether mlx-lm has it transposed.
    static func name(_ stored: String) -> (name: String, isTransposed: Bool) {
        for (ending, name) in [(".lora_a", ".lora_A.weight"), (".lora_b", ".lora_B.weight")]
        where stored.hasSuffix(ending) {
            return (stored.dropLast(ending.count) + name, true)
        }
        return (stored.hasSuffix(".m") ? stored.dropLast(".m".count) + ".lora_magnitude_vector" : stored, false)
    }
}
