/// Gemma 3 (text): normalised queries and keys, five layers within a sliding window to each global one, and a rotary
/// base of their own for either kind.
///
/// What a configuration leaves out is what transformers' `Gemma3TextConfig` has; that of google/gemma-3-4b-it leaves most out.
enum Gemma3Configuration {
    static func read(_ json: ConfigurationJSON) throws -> DecoderConfiguration {
        let window = try json.int("sliding_window") ?? 4096
        let types = try json.strings("layer_types")
        let pattern = try json.int("sliding_window_pattern") ?? 6
        guard pattern > 0 else {
            throw ModelError(.malformed, path: json.path, "\"sliding_window_pattern\" is \(pattern); expected above 0.")
        }
        let kinds = try json.section("rope_parameters")
        var global = try kinds?.section("full_attention")
        if let scaling = try json.section("rope_scaling") { global = global?.updated(with: scaling) ?? scaling }
        let globalRope = try json.rotary(global, base: json.double("rope_theta") ?? 1_000_000)
        let localRope = try json.rotary(
            kinds?.section("sliding_attention"), base: json.double("rope_local_base_freq") ?? 10_000)
        let hidden = try json.int("hidden_size") ?? 2304
        try json.refuse("use_bidirectional_attention")
        return DecoderConfiguration(
            modelType: "gemma3_text", vocabularySize: try json.int("vocab_size") ?? 262_208, hiddenSize: hidden,
            intermediateSize: try json.int("intermediate_size") ?? 9216,
            headCount: try json.int("num_attention_heads") ?? 8,
            keyValueHeadCount: try json.int("num_key_value_heads") ?? 4,
            headDimension: try json.int("head_dim") ?? 256,
            layers: try json.layers(default: 26) { index in
                let isWindow = types.map { $0[index] == "sliding_attention" } ?? ((index + 1) % pattern != 0)
                return isWindow
                    ? .init(slidingWindow: window, rope: localRope) : .init(slidingWindow: nil, rope: globalRope)
            },
            normEpsilon: try json.double("rms_norm_eps") ?? 1e-6, normOffset: 1, normPlacement: .beforeAndAfter,
            normalizesQueriesAndKeys: true,
            activation: try json.activation("hidden_activation", default: .geluTanh),
            embeddingScale: Double(max(hidden, 0)).squareRoot(),
            attentionScale: 1 / (try json.double("query_pre_attn_scalar") ?? 256).squareRoot(),
            finalSoftcap: try json.double("final_logit_softcapping"),
            tiesEmbeddings: try json.bool("tie_word_embeddings") ?? true,
            attentionBias: try json.bool("attention_bias") ?? false,
            maximumPositions: try json.int("max_position_embeddings") ?? 131_072)
    }
}

extension Gemma3Configuration {
    static func read(_ keys: GGUFKeys) throws -> DecoderConfiguration {
        let global = RotaryConfiguration(
            base: try keys.double("rope.freq_base") ?? 1_000_000, scaling: try keys.rotaryScaling())
        let local = RotaryConfiguration(base: try keys.double("rope.freq_base_swa") ?? 10_000)
        let window = try keys.int("attention.sliding_window") ?? 512
        let pattern = max(1, try keys.int("attention.sliding_window_pattern") ?? 6)
        let layers = try (0..<keys.layerCount()).map { index in
            (index + 1) % pattern == 0
                ? DecoderConfiguration.Layer(slidingWindow: nil, rope: global)
                : DecoderConfiguration.Layer(slidingWindow: window, rope: local)
        }
        var configuration = try keys.gemma(modelType: "gemma3_text", layers: layers, layersOf27B: 62)
        configuration.normalizesQueriesAndKeys = true
        return configuration
    }
}
