internal import MenoFormats

extension Architecture {
    /// StableLM 2 and 3B (Bellagente et al., 2024, arXiv:2402.17834): a Llama with LayerNorm, which rotates a quarter of each
    /// head.
    static let stableLM = Architecture(
        modelType: "stablelm", className: "StableLmForCausalLM", ggufNames: ["stablelm"],
        llamaCpp: [.ownHead, .inputBiases],
        ggufKeys: { model in
            guard model.layers[0].attention.queryKeyNorm == nil else {
                throw ModelError(
                    .unsupported, "llama.cpp's stablelm format for query and key norms is not supported.",
                    advice: "Export it as safetensors.")
            }
            return [("use_parallel_residual", .bool(model.layers[0].normPlacement == .parallel))]
        },
        names: WeightNames.llama.with([
            .queryNorm: ("self_attn.q_layernorm.norms.*", "attn_q_norm"),
            .keyNorm: ("self_attn.k_layernorm.norms.*", "attn_k_norm"),
        ]),
        defaults: Defaults(
            vocabularySize: 50_304, hiddenSize: 2560, intermediateSize: 6912, layerCount: 32, headCount: 32,
            keyValueHeadCount: 32, maximumPositions: 4096, normEpsilon: 1e-5, normEpsilonKey: "layer_norm_eps",
            rotaryShare: 0.25)
    ) { model, keys in
        let normalizes = try keys.bool("qk_layernorm") || keys.gguf?.has("blk.0.attn_q_norm.weight") ?? false
        let isParallel =
            try keys.bool("use_parallel_residual") || keys.gguf.map { !$0.has("blk.0.ffn_norm.weight") } ?? false
        let hasBias = try keys.bool("use_qkv_bias")
        model.finalNorm.kind = .layer(hasBias: true)
        var norm = QueryKeyNormConfiguration(norm: model.finalNorm, scope: .apart)
        norm.norm.kind = .layer(hasBias: false)
        model.changeLayers { layer, _ in
            if normalizes { layer.attention.queryKeyNorm = norm }
            layer.norm.kind = .layer(hasBias: true)
            if isParallel { layer.normPlacement = .parallel }
            if hasBias { layer.attention.hasInputBias = true }
        }
    }
}
