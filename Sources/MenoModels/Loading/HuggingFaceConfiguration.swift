internal import Foundation

extension DecoderConfiguration {
    /// The architectures that are computed, by transformers' `model_type`.
    static let supportedModelTypes = ["gemma2", "gemma3_text", "gemma3", "llama"]

    /// Reads a Hugging Face `config.json`.
    static func read(huggingFace url: URL) throws -> DecoderConfiguration {
        let json = try ConfigurationJSON(contentsOf: url)
        let type = try json.required("model_type", json.string)
        let configuration =
            switch type {
            case "llama": try LlamaConfiguration.read(json)
            case "gemma2": try Gemma2Configuration.read(json)
            case "gemma3_text": try Gemma3Configuration.read(json)
            case "gemma3": try Gemma3Configuration.read(try json.required("text_config", json.section))
            default:
                throw ModelError(
                    .unsupported, path: json.path, "the architecture \"\(type)\" is not supported.",
                    advice: "Supported: \(supportedModelTypes.joined(separator: ", ")).")
            }
        return try configuration.validated(path: json.path)
    }
}

extension ConfigurationJSON {
    /// As many layers as `num_hidden_layers` says.
    func layers(_ layer: (Int) -> DecoderConfiguration.Layer) throws -> [DecoderConfiguration.Layer] {
        let count = try required("num_hidden_layers", int)
        guard count > 0, count <= 1024 else {
            throw ModelError(.malformed, path: path, "\"num_hidden_layers\" is \(count); expected between 1 and 1024.")
        }
        if let types = try strings("layer_types") {
            guard types.count == count else {
                throw ModelError(
                    .malformed, path: path, "\"layer_types\" has \(types.count) entries for \(count) layers.")
            }
            let known = ["sliding_attention", "full_attention"]
            if let other = types.first(where: { !known.contains($0) }) {
                throw ModelError(.unsupported, path: path, "the layer type \"\(other)\" is not supported.")
            }
        }
        return (0..<count).map(layer)
    }

    func activation(
        _ key: String, default fallback: DecoderConfiguration.Activation
    ) throws -> DecoderConfiguration.Activation {
        switch try string(key) {
        case nil: fallback
        case "silu", "swish": .silu
        case "gelu_pytorch_tanh", "gelu_new": .geluTanh
        case "gelu": .gelu
        case let other?:
            throw ModelError(
                .unsupported, path: path, "\"\(key)\": \"\(other)\" is not supported.",
                advice: "Supported: silu, gelu, gelu_pytorch_tanh.")
        }
    }

    /// Rotary parameters from `rope_parameters` (transformers 5) or from `rope_theta` and `rope_scaling` (before).
    /// - Parameters:
    ///   - kind: the layer type whose entry is wanted where `rope_parameters` has one for each.
    ///   - usesPlainKeys: whether `rope_theta` and `rope_scaling` speak of this kind of layer.
    func rotary(
        defaultBase: Double, kind: String? = nil, usesPlainKeys: Bool = true
    ) throws -> RotaryConfiguration {
        var section = try section("rope_parameters")
        if let kind, let inner = try section?.section(kind) { section = inner }
        if section == nil, usesPlainKeys { section = try self.section("rope_scaling") }
        let plainBase = usesPlainKeys ? try double("rope_theta") : nil
        let base = try section?.double("rope_theta") ?? plainBase ?? defaultBase
        guard base > 0 else {
            throw ModelError(.malformed, path: path, "the rotary base is \(base); expected above 0.")
        }
        return RotaryConfiguration(base: base, scaling: try section?.rotaryScaling() ?? .none)
    }

    private func rotaryScaling() throws -> RotaryConfiguration.Scaling {
        switch try string("rope_type") ?? string("type") {
        case nil, "default": return .none
        case "linear": return .linear(factor: try positive("factor"))
        case "llama3":
            return .llama3(
                factor: try positive("factor"), lowFrequencyFactor: try positive("low_freq_factor"),
                highFrequencyFactor: try positive("high_freq_factor"),
                originalPositions: try required("original_max_position_embeddings", int))
        case let other?:
            throw ModelError(
                .unsupported, path: path, "the rotary scaling \"\(other)\" is not supported.",
                advice: "Supported: default, linear, llama3.")
        }
    }

    private func positive(_ key: String) throws -> Double {
        let value = try required(key, double)
        guard value > 0 else { throw ModelError(.malformed, path: path, "\"\(key)\" is \(value); expected above 0.") }
        return value
    }
}
