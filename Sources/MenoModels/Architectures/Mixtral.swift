extension Architecture {
    /// Mixtral (Jiang et al., 2024, arXiv:2401.04088): a Mistral with a mixture of experts in each layer.
    ///
    /// llama.cpp calls it `llama`.
    static let mixtral = Architecture(
        modelType: "mixtral", className: "MixtralForCausalLM", ggufNamesWithExperts: ["llama"],
        llamaCpp: .llama, ggufKeys: { $0.ggufExperts(size: false) },
        names: WeightNames.llama.withMixtralExperts,
        permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 14_336, layerCount: 32, headCount: 32,
            keyValueHeadCount: 8, maximumPositions: 131_072, normEpsilon: 1e-5, rotaryBase: 1_000_000)
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: nil)
        var experts = try keys.experts(count: 8, chosen: 2, size: model.intermediateSize)
        experts.normalizesWeights = true
        model.changeLayers { layer, _ in
            layer.attention.slidingWindow = window
            layer.feedForward.experts = experts
        }
    }
}
