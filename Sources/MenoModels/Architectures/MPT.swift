extension Architecture {
    /// MPT (MosaicML, 2023): LayerNorm without biases, and scores that grow with the position.
    static let mpt = Architecture(
        modelType: "mpt", className: "MptForCausalLM", ggufNames: ["mpt"], isWrittenAsGGUF: false, names: mptNames,
        defaults: Defaults(
            vocabularySize: 50_368, hiddenSize: 2048, layerCount: 24, headCount: 16, intermediateFactor: 4,
            normEpsilon: 1e-5, normEpsilonKey: "layer_norm_epsilon", activation: .gelu, tiesEmbeddings: true,
            keys: [
                "hidden_size": "d_model", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers",
                "max_position_embeddings": "max_seq_len",
            ])
    ) { model, keys in
        let attention = try keys.json?.section("attn_config")
        let scale = try attention?.double("softmax_scale")
        let clip = try attention?.double("clip_qkv") ?? keys.gguf?.double("attention.clamp_kqv")
        let largest = try attention?.double("alibi_bias_max") ?? keys.gguf?.double("attention.max_alibi_bias") ?? 8
        guard largest > 0 else {
            throw ModelError(
                .unsupported, at: keys.path, "MPT models without ALiBi are not supported.")
        }
        let (heads, hidden) = (model.headCount, model.hiddenSize)
        model.finalNorm.kind = .layer(hasBias: false)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: false)
            layer.attention.isFused = true
            layer.attention.keyValueHeadCount = layer.attention.headCount
            layer.attention.rotary = nil
            layer.attention.scale = scale ?? layer.attention.scale
            layer.attention.clip = clip.flatMap { $0 > 0 ? $0 : nil }
            layer.attention.slopes = PositionSlopes(
                slopes: PositionSlopes.alternating(heads: heads, largest: largest))
            layer.feedForward.form = .plain
            layer.feedForward.intermediateSize = 4 * hidden
        }
    }

    private static var mptNames: WeightNames {
        var names = WeightNames.llama.without(.gate, .query, .key, .value).with([
            .embedding: ("transformer.wte", "token_embd"), .finalNorm: ("transformer.norm_f", "output_norm"),
            .attentionNorm: ("norm_1", "attn_norm"), .feedForwardNorm: ("norm_2", "ffn_norm"),
            .queryKeyValue: ("attn.Wqkv", "attn_qkv"), .output: ("attn.out_proj", "attn_output"),
            .up: ("ffn.up_proj", "ffn_up"), .down: ("ffn.down_proj", "ffn_down"),
        ])
        names.layerPrefix = "transformer.blocks."
        return names
    }
}
