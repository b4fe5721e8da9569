/// Gemma 2: soft-capped scores and logits, every other layer within a sliding window.
///
/// What a configuration leaves out is what transformers' `Gemma2Config` has: the sizes of the 2 B model.
enum Gemma2Configuration {
    static func read(_ json: ConfigurationJSON) throws -> DecoderConfiguration {
        let rope = try json.rotary(defaultBase: 10_000)
        let window = try json.int("sliding_window") ?? 4096
        let types = try json.strings("layer_types")
        let hidden = try json.int("hidden_size") ?? 2304
        let dimension = try json.int("head_dim") ?? 256
        return DecoderConfiguration(
            modelType: "gemma2", vocabularySize: try json.int("vocab_size") ?? 256_000, hiddenSize: hidden,
            intermediateSize: try json.int("intermediate_size") ?? 9216,
            headCount: try json.int("num_attention_heads") ?? 8,
            keyValueHeadCount: try json.int("num_key_value_heads") ?? 4, headDimension: dimension,
            layers: try json.layers(default: 26) { index in
                let isWindow = types.map { $0[index] == "sliding_attention" } ?? (index % 2 == 0)
                return .init(slidingWindow: isWindow ? window : nil, rope: rope)
            },
            normEpsilon: try json.double("rms_norm_eps") ?? 1e-6, normOffset: 1, normPlacement: .beforeAndAfter,
            activation: try json.activation("hidden_activation", default: .geluTanh),
            embeddingScale: Double(max(hidden, 0)).squareRoot(),
            attentionScale: 1 / (try json.double("query_pre_attn_scalar") ?? 256).squareRoot(),
            attentionSoftcap: try json.double("attn_logit_softcapping", default: 50),
            finalSoftcap: try json.double("final_logit_softcapping", default: 30),
            tiesEmbeddings: try json.bool("tie_word_embeddings") ?? true,
            attentionBias: try json.bool("attention_bias") ?? false,
            maximumPositions: try json.int("max_position_embeddings") ?? 8192)
    }
}

extension Gemma2Configuration {
    static func read(_ keys: GGUFKeys) throws -> DecoderConfiguration {
        let rope = RotaryConfiguration(base: try keys.double("rope.freq_base") ?? 10_000)
        let window = try keys.int("attention.sliding_window") ?? 4096
        let layers = try (0..<keys.layerCount()).map { index in
            DecoderConfiguration.Layer(slidingWindow: index % 2 == 0 ? window : nil, rope: rope)
        }
        var configuration = try keys.gemma(modelType: "gemma2", layers: layers, layersOf27B: 46)
        configuration.attentionSoftcap = configuration.attentionSoftcap ?? 50
        configuration.finalSoftcap = configuration.finalSoftcap ?? 30
        return configuration
    }
}
