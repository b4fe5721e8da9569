/// Llama 2 and 3, SmolLM2 and everything else that transformers computes as `llama`.
enum LlamaConfiguration {
    static func read(_ json: ConfigurationJSON) throws -> DecoderConfiguration {
        let hidden = try json.required("hidden_size", json.int)
        let heads = try json.required("num_attention_heads", json.int)
        guard heads > 0 else { throw ModelError(.malformed, path: json.path, "\"num_attention_heads\" is \(heads).") }
        let dimension = try json.int("head_dim") ?? hidden / heads
        let layer = DecoderConfiguration.Layer(slidingWindow: nil, rope: try json.rotary(defaultBase: 10_000))
        try json.refuse("mlp_bias")
        return DecoderConfiguration(
            modelType: "llama", vocabularySize: try json.required("vocab_size", json.int), hiddenSize: hidden,
            intermediateSize: try json.required("intermediate_size", json.int), headCount: heads,
            keyValueHeadCount: try json.int("num_key_value_heads") ?? heads, headDimension: dimension,
            layers: try json.layers { _ in layer }, normEpsilon: try json.double("rms_norm_eps") ?? 1e-6,
            activation: try json.activation("hidden_act", default: .silu),
            attentionScale: 1 / Double(max(dimension, 1)).squareRoot(),
            tiesEmbeddings: try json.bool("tie_word_embeddings") ?? false,
            attentionBias: try json.bool("attention_bias") ?? false,
            maximumPositions: try json.int("max_position_embeddings") ?? 2048)
    }
}

extension LlamaConfiguration {
    static func read(_ keys: GGUFKeys) throws -> DecoderConfiguration {
        var scaling = try keys.rotaryScaling()
        if keys.has("rope_freqs.weight") {
            guard scaling == .none else {
                throw ModelError(
                    .unsupported, path: keys.path,
                    "factors of rotary frequencies beside a linear scaling are not supported.")
            }
            scaling = .divided(by: try keys.floats("rope_freqs.weight"))
        }
        let layer = DecoderConfiguration.Layer(
            slidingWindow: nil,
            rope: RotaryConfiguration(base: try keys.double("rope.freq_base") ?? 10_000, scaling: scaling))
        return try keys.base(modelType: "llama", layers: Array(repeating: layer, count: keys.layerCount()))
    }
}
