internal import Foundation

extension DecoderConfiguration {
    /// The architectures that are computed, by transformers' `model_type`.
    static let supportedModelTypes = ["gemma2", "gemma3_text", "gemma3", "llama"]

    /// Reads a Hugging Face `config.json`.
    static func read(huggingFace url: URL) throws -> DecoderConfiguration {
        let json = try ConfigurationJSON(contentsOf: url)
        let type = try json.required("model_type", json.string)
        let text = type == "gemma3" ? try json.required("text_config", json.section) : json
        var configuration =
            switch type {
            case "llama": try LlamaConfiguration.read(json)
            case "gemma2": try Gemma2Configuration.read(json)
            case "gemma3_text", "gemma3": try Gemma3Configuration.read(text)
            default:
                throw ModelError(
                    .unsupported, path: json.path, "the architecture \"\(type)\" is not supported.",
                    advice: "Supported: \(supportedModelTypes.joined(separator: ", ")).")
            }
        configuration.isTextPart = type == "gemma3"
        configuration.attentionDropout = try text.double("attention_dropout") ?? 0
        return try configuration.validated(path: json.path)
    }
}

extension ConfigurationJSON {
    /// As many layers as `num_hidden_layers` says.
    func layers(
        default fallback: Int? = nil, _ layer: (Int) -> DecoderConfiguration.Layer
    ) throws -> [DecoderConfiguration.Layer] {
        let count = try int("num_hidden_layers") ?? fallback ?? required("num_hidden_layers", int)
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

    /// Rotary parameters as transformers finds them: in `rope_scaling` (before transformers 5), else in `rope_parameters`; the
    /// base in `rope_theta`, where they hold none.
    func rotary(defaultBase: Double) throws -> RotaryConfiguration {
        let scaling = try section("rope_scaling").flatMap { $0.keys.isEmpty ? nil : $0 }
        return try rotary(scaling ?? section("rope_parameters"), base: double("rope_theta") ?? defaultBase)
    }

    /// - Parameters:
    ///   - parameters: what the configuration has under the key of the layers in question.
    ///   - base: θ where they hold none.
    func rotary(_ parameters: ConfigurationJSON?, base: Double) throws -> RotaryConfiguration {
        let base = try parameters?.double("rope_theta") ?? base
        guard base > 0 else {
            throw ModelError(.malformed, path: path, "the rotary base is \(base); expected above 0.")
        }
        return RotaryConfiguration(base: base, scaling: try parameters.map(rotaryScaling) ?? .none)
    }

    private func rotaryScaling(_ parameters: ConfigurationJSON) throws -> RotaryConfiguration.Scaling {
        switch try parameters.string("rope_type") ?? parameters.string("type") {
        case nil, "default": return .none
        case "linear": return .linear(factor: try parameters.positive("factor"))
        case "llama3":
            let original = "original_max_position_embeddings"
            return .llama3(
                factor: try parameters.positive("factor"),
                lowFrequencyFactor: try parameters.positive("low_freq_factor"),
                highFrequencyFactor: try parameters.positive("high_freq_factor"),
                originalPositions: try int(original) ?? parameters.int(original)
                    ?? required("max_position_embeddings", int))
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
