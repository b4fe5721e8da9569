extension Architecture {
    /// GPT-2 (Radford et al., 2019): learned positions, LayerNorm, and linear layers that are stored as `[in, out]`.
    static let gpt2 = Architecture(
        modelType: "gpt2", className: "GPT2LMHeadModel", ggufNames: ["gpt2"],
        llamaCpp: [.anyHead, .inputBiases, .outputBiases, .feedForwardBiases], names: gpt2Names,
        defaults: Defaults(
            vocabularySize: 50_257, hiddenSize: 768, layerCount: 12, headCount: 12, intermediateFactor: 4,
            maximumPositions: 1024, normEpsilon: 1e-5, normEpsilonKey: "layer_norm_epsilon", activation: .geluTanh,
            activationKey: "activation_function", tiesEmbeddings: true, attentionBias: true,
            keys: [
                "hidden_size": "n_embd", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer",
                "intermediate_size": "n_inner", "max_position_embeddings": "n_positions",
            ])
    ) { model, keys in
        try keys.json?.refuse("add_cross_attention")
        let isScaled = try keys.json?.bool("scale_attn_weights") ?? true
        let isScaledByLayer = try keys.bool("scale_attn_by_inverse_layer_idx")
        model.learnedPositions = model.maximumPositions
        model.finalNorm.kind = .layer(hasBias: true)
        model.changeLayers { layer, index in
            layer.norm.kind = .layer(hasBias: true)
            layer.attention.isFused = true
            layer.attention.keyValueHeadCount = layer.attention.headCount
            layer.attention.rotary = nil
            if !isScaled { layer.attention.scale = 1 }
            if isScaledByLayer { layer.attention.scale /= Double(index + 1) }
            layer.feedForward.form = .plain
            layer.feedForward.hasBias = true
        }
    }

    private static var gpt2Names: WeightNames {
        var names = WeightNames.llama.without(.gate, .query, .key, .value).with([
            .embedding: ("transformer.wte", "token_embd"), .positions: ("transformer.wpe", "position_embd"),
            .finalNorm: ("transformer.ln_f", "output_norm"), .attentionNorm: ("ln_1", "attn_norm"),
            .feedForwardNorm: ("ln_2", "ffn_norm"), .queryKeyValue: ("attn.c_attn", "attn_qkv"),
            .output: ("attn.c_proj", "attn_output"), .up: ("mlp.c_fc", "ffn_up"), .down: ("mlp.c_proj", "ffn_down"),
        ])
        names.layerPrefix = "transformer.h."
        names.isTransposed = true
        return names
    }
}
