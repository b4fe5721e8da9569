internal import MenoFormats

extension Architecture {
    /// StableLM 2 and 3B (Bellagente et al., 2024, arXiv:2402.17834): a Llama with LayerNorm, which rotates a quarter of each
    /// head.
    static let stableLM = Architecture(
        modelType: "stablelm", className: "StableLmForCausalLM", ggufNames: ["stablelm"],
        llamaCpp: [.ownHead, .inputBiases],
        ggufKeys: { [("use_parallel_residual", .bool($0.layers[0].normPlacement == .parallel))] },
        defaults: Defaults(
            vocabularySize: 50_304, hiddenSize: 2560, intermediateSize: 6912, layerCount: 32, headCount: 32,
            keyValueHeadCount: 32, maximumPositions: 4096, normEpsilon: 1e-5, normEpsilonKey: "layer_norm_eps",
            rotaryShare: 0.25)
    ) { model, keys in
        try keys.json?.refuse("qk_layernorm")
        if keys.gguf?.has("blk.0.attn_q_norm.weight") ?? false {
            throw ModelError(
                .unsupported, at: keys.path, "norms of queries and keys are not supported in a StableLM.")
        }
        let isParallel =
            try keys.bool("use_parallel_residual") || keys.gguf.map { !$0.has("blk.0.ffn_norm.weight") } ?? false
        let hasBias = try keys.bool("use_qkv_bias")
        model.finalNorm.kind = .layer(hasBias: true)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            if isParallel { layer.normPlacement = .parallel }
            if hasBias { layer.attention.hasInputBias = true }
        }
    }
}
