extension Architecture {
    /// GPT-NeoX and Pythia (Black et al., 2022, arXiv:2204.06745): both blocks take the same states, each through a separate
    /// LayerNorm, and one matrix computes the query, key and value of each head.
    static let gptNeoX = Architecture(
        modelType: "gpt_neox", className: "GPTNeoXForCausalLM", ggufNames: ["gptneox"], isWrittenAsGGUF: false,
        names: neoXNames,
        defaults: Defaults(
            vocabularySize: 50_432, hiddenSize: 6144, intermediateSize: 24_576, layerCount: 44, headCount: 64,
            normEpsilon: 1e-5, normEpsilonKey: "layer_norm_eps", rotaryShare: 0.25, activation: .gelu,
            attentionBias: true)
    ) { model, keys in
        let isParallel =
            try keys.json?.bool("use_parallel_residual") ?? keys.gguf?.bool("use_parallel_residual") ?? true
        model.finalNorm.kind = .layer(hasBias: true)
        // The names of these keys before transformers 5.
        let base = try keys.double("rotary_emb_base", gguf: nil)
        let share = try keys.double("rotary_pct", gguf: nil)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            if isParallel { layer.normPlacement = .parallelApart }
            layer.attention.isFused = true
            layer.attention.isFusedByKey = true
            layer.attention.keyValueHeadCount = layer.attention.headCount
            if let base { layer.attention.rotary?.base = base }
            if let share { layer.attention.rotary?.dimension = Int(Double(layer.attention.headDimension) * share) }
            layer.feedForward.form = .plain
            layer.feedForward.hasBias = true
        }
    }

    private static var neoXNames: WeightNames {
        var names = WeightNames.llama.without(.gate, .query, .key, .value).with([
            .embedding: ("gpt_neox.embed_in", "token_embd"), .finalNorm: ("gpt_neox.final_layer_norm", "output_norm"),
            .head: ("embed_out", "output"), .queryKeyValue: ("attention.query_key_value", "attn_qkv"),
            .output: ("attention.dense", "attn_output"), .up: ("mlp.dense_h_to_4h", "ffn_up"),
            .down: ("mlp.dense_4h_to_h", "ffn_down"),
        ])
        names.layerPrefix = "gpt_neox.layers."
        return names
    }
}
