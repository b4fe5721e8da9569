extension Architecture {
    /// transformers' GLM-4 9B (GLM Team, 2024, arXiv:2406.12793): half of each head is rotated, in pairs of neighbors, and gate
    /// and up are fused into one matrix.
    static let glm = Architecture(
        modelType: "glm", className: "GlmForCausalLM", ggufNames: ["chatglm"], llamaCpp: [.anyHead, .inputBiases],
        names: WeightNames.llama.withFusedGate, defaults: glmSizes
    ) { model, _ in model.makeGLM() }

    /// GLM-4-0414: a GLM with norms after each block, too.
    static let glm4 = Architecture(
        modelType: "glm4", className: "Glm4ForCausalLM", ggufNames: ["glm4"], llamaCpp: [.anyHead, .inputBiases],
        names: WeightNames.llama.withFusedGate.with([
            .postAttentionNorm: ("post_self_attn_layernorm", "post_attention_norm"),
            .postFeedForwardNorm: ("post_mlp_layernorm", "post_ffw_norm"),
        ]), defaults: glmSizes
    ) { model, _ in
        model.makeGLM()
        model.changeLayers { layer, _ in layer.normPlacement = .beforeAndAfter }
    }

    private static let glmSizes = Defaults(
        vocabularySize: 151_552, hiddenSize: 4096, intermediateSize: 13_696, layerCount: 40, headCount: 32,
        keyValueHeadCount: 2, headDimension: 128, maximumPositions: 131_072, normEpsilon: 1.5625e-7, rotaryShare: 0.5,
        attentionBias: true)
}

extension DecoderConfiguration {
    fileprivate mutating func makeGLM() {
        changeLayers { layer, _ in
            layer.attention.hasOutputBias = false
            layer.attention.rotary?.isInterleaved = true
            layer.feedForward.form = .fusedGate
        }
    }
}
