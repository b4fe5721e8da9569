extension Architecture {
    /// Seed-OSS (ByteDance, 2025): a Llama with biases for queries, keys and values.
    static let seedOSS = Architecture(
        modelType: "seed_oss", className: "SeedOssForCausalLM", ggufNames: ["seed_oss"],
        llamaCpp: [.wideHeads, .anyHead, .inputBiases],
        names: WeightNames.llama.with([.feedForwardNorm: ("post_attention_layernorm", "post_attention_norm")]),
        defaults: Defaults(
            vocabularySize: 155_136, hiddenSize: 4096, intermediateSize: 27_648, layerCount: 64, headCount: 80,
            keyValueHeadCount: 8, headDimension: 128, maximumPositions: 524_288, attentionBias: true)
    ) { model, keys in
        guard keys.json != nil else { return }
        let hasOutputBias = try keys.bool("attention_out_bias")
        model.changeLayers { layer, _ in layer.attention.hasOutputBias = hasOutputBias }
    }
}
