extension Architecture {
    /// Qwen 3 (Qwen Team, 2025, arXiv:2505.09388): a Llama that normalizes queries and keys.
    static let qwen3 = Architecture(
        modelType: "qwen3", className: "Qwen3ForCausalLM", ggufNames: ["qwen3"], llamaCpp: [.wideHeads, .anyHead],
        names: WeightNames.llama.withQueryKeyNorms,
        defaults: Defaults(
            vocabularySize: 151_936, hiddenSize: 4096, intermediateSize: 22_016, layerCount: 32, headCount: 32,
            keyValueHeadCount: 32, headDimension: 128, maximumPositions: 32_768)
    ) { model, keys in
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        model.changeLayers { layer, _ in layer.attention.queryKeyNorm = norm }
        try keys.setQwenWindows(&model)
    }
}
