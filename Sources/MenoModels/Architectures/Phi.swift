extension Architecture {
    /// Phi-1, 1.5 and 2 (Li et al., 2023, arXiv:2309.05463): parallel blocks with one LayerNorm, and biases everywhere.
    static let phi = Architecture(
        modelType: "phi", className: "PhiForCausalLM", ggufNames: ["phi2"],
        llamaCpp: [.ownHead, .inputBiases, .outputBiases, .feedForwardBiases],
        names: WeightNames.llama.without(.gate, .feedForwardNorm).with([
            .finalNorm: ("model.final_layernorm", "output_norm"), .output: ("self_attn.dense", "attn_output"),
            .up: ("mlp.fc1", "ffn_up"), .down: ("mlp.fc2", "ffn_down"),
            .queryNorm: ("self_attn.q_layernorm", "attn_q_norm"), .keyNorm: ("self_attn.k_layernorm", "attn_k_norm"),
        ]),
        defaults: Defaults(
            vocabularySize: 51_200, hiddenSize: 2048, intermediateSize: 8192, layerCount: 24, headCount: 32,
            normEpsilon: 1e-5, normEpsilonKey: "layer_norm_eps", rotaryShare: 0.5, activation: .geluTanh,
            attentionBias: true)
    ) { model, keys in
        model.hasHeadBias = true
        model.finalNorm.kind = .layer(hasBias: true)
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        let normalizes = try keys.bool("qk_layernorm")
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            layer.normPlacement = .parallel
            if normalizes { layer.attention.queryKeyNorm = norm }
            layer.feedForward.form = .plain
            layer.feedForward.hasBias = true
        }
    }
}
