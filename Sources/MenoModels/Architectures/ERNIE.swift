extension Architecture {
    /// The dense ERNIE 4.5 (Baidu, 2025): a Llama that rotates neighbors in pairs.
    static let ernie4_5 = Architecture(
        modelType: "ernie4_5", className: "Ernie4_5ForCausalLM", ggufNames: ["ernie4_5"],
        llamaCpp: [.wideHeads, .anyHead],
        defaults: Defaults(
            vocabularySize: 103_424, hiddenSize: 1024, intermediateSize: 3072, layerCount: 18, headCount: 16,
            keyValueHeadCount: 2, headDimension: 128, maximumPositions: 131_072, normEpsilon: 1e-5, rotaryBase: 500_000,
            tiesEmbeddings: true)
    ) { model, keys in
        let hasBias = try keys.bool("use_bias")
        model.changeLayers { layer, _ in
            layer.attention.rotary?.isInterleaved = true
            guard hasBias else { return }
            layer.attention.hasInputBias = true
            layer.attention.hasOutputBias = true
            layer.feedForward.hasBias = true
        }
    }
}
