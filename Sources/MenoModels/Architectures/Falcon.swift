extension Architecture {
    /// Falcon (Almazrouei et al., 2023, arXiv:2311.16867), with rotary embeddings or with ALiBi.
    static let falcon = Architecture(
        modelType: "falcon", className: "FalconForCausalLM", ggufNames: ["falcon"], isWrittenAsGGUF: false,
        names: falconNames,
        defaults: Defaults(
            vocabularySize: 65_024, hiddenSize: 4544, layerCount: 32, headCount: 71, intermediateFactor: 4,
            normEpsilon: 1e-5, normEpsilonKey: "layer_norm_epsilon", activation: .gelu, activationKey: "activation",
            tiesEmbeddings: true, keys: ["intermediate_size": "ffn_hidden_size", "num_key_value_heads": "num_kv_heads"])
    ) { model, keys in
        let isNew = try keys.bool("new_decoder_architecture") || keys.gguf?.has("blk.0.attn_norm_2.weight") ?? false
        let isMultiQuery = try keys.json?.bool("multi_query") ?? true
        let isParallel = try keys.json?.bool("parallel_attn") ?? true
        let hasBias = try keys.bool("bias")
        let normCount = try keys.int("num_ln_in_parallel_attn", gguf: nil) ?? (isNew ? 2 : 1)
        let heads = model.headCount
        let hasSlopes = try keys.bool("alibi")
        model.finalNorm.kind = .layer(hasBias: true)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            if isNew || isParallel { layer.normPlacement = isNew && normCount == 2 ? .parallelApart : .parallel }
            layer.attention.isFused = true
            layer.attention.isFusedByKey = true
            if !isNew, keys.json != nil { layer.attention.keyValueHeadCount = isMultiQuery ? 1 : heads }
            if hasBias { (layer.attention.hasInputBias, layer.attention.hasOutputBias) = (true, true) }
            if hasSlopes {
                layer.attention.rotary = nil
                layer.attention.slopes = PositionSlopes(
                    slopes: PositionSlopes.geometric(heads: heads), isRounded: true, scale: layer.attention.scale)
            }
            layer.feedForward.form = .plain
            if hasBias { layer.feedForward.hasBias = true }
        }
    }

    private static var falconNames: WeightNames {
        var names = WeightNames.llama.without(.gate, .query, .key, .value).with([
            .embedding: ("transformer.word_embeddings", "token_embd"), .finalNorm: ("transformer.ln_f", "output_norm"),
            .attentionNorm: ("input_layernorm", "attn_norm"),
            .feedForwardNorm: ("post_attention_layernorm", "ffn_norm"),
            .queryKeyValue: ("self_attention.query_key_value", "attn_qkv"),
            .output: ("self_attention.dense", "attn_output"), .up: ("mlp.dense_h_to_4h", "ffn_up"),
            .down: ("mlp.dense_4h_to_h", "ffn_down"),
        ])
        names.layerPrefix = "transformer.h."
        names.parallelNorms = [.attentionNorm: "ln_attn", .feedForwardNorm: "ln_mlp"]
        return names
    }
}
