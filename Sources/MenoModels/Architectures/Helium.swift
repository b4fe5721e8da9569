extension Architecture {
    /// Helium (Kyutai, 2025): a Llama that rotates neighbors in pairs.
    static let helium = Architecture(
        modelType: "helium", className: "HeliumForCausalLM",
        defaults: Defaults(
            vocabularySize: 48_000, hiddenSize: 2560, intermediateSize: 7040, layerCount: 24, headCount: 20,
            keyValueHeadCount: 20, headDimension: 128, maximumPositions: 4096, normEpsilon: 1e-8, rotaryBase: 100_000)
    ) { model, _ in
        model.changeLayers { layer, _ in
            layer.attention.rotary?.isInterleaved = true
            layer.attention.hasOutputBias = false
        }
    }
}
