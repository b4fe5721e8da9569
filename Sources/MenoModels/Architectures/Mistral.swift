internal import MenoFormats

extension Architecture {
    /// Mistral 7B (Jiang et al., 2023, arXiv:2310.06825) and its successors: a Llama with a sliding window.
    ///
    /// llama.cpp calls it `llama`.
    static let mistral = Architecture(
        modelType: "mistral", className: "MistralForCausalLM", ggufTwin: "llama", defaults: mistralSizes
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: nil, default: 4096)
        model.changeLayers { layer, _ in layer.attention.slidingWindow = window }
    }

    /// Ministral 8B: a Mistral whose `layer_types` say which layers have the window.
    static let ministral = Architecture(
        modelType: "ministral", className: "MinistralForCausalLM", ggufTwin: "llama", defaults: mistralSizes
    ) { model, keys in
        try keys.setWindows(&model, default: 4096) { _ in true }
    }

    /// Ministral 3: a Mistral whose queries are scaled up with their position.
    static let ministral3 = Architecture(
        modelType: "ministral3", className: "Ministral3ForCausalLM", multimodalTypes: ["mistral3"],
        ggufNames: ["mistral3"], llamaCpp: .llama,
        ggufKeys: { model in
            model.layers[0].attention.queryGrowth.map { [("attention.temperature_scale", .real($0.rate))] } ?? []
        }, permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 131_072, hiddenSize: 4096, intermediateSize: 14_336, layerCount: 34, headCount: 32,
            keyValueHeadCount: 8, headDimension: 128, maximumPositions: 262_144, normEpsilon: 1e-5,
            rotaryBase: 1_000_000)
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: nil)
        var growth: QueryGrowth?
        if let parameters = try keys.json?.section("rope_parameters"),
            let rate = try parameters.double("llama_4_scaling_beta"),
            let period = try parameters.int("original_max_position_embeddings")
        {
            growth = QueryGrowth(rate: rate, period: period)
        } else if let rate = try keys.gguf?.double("attention.temperature_scale"),
            let period = try keys.gguf?.int("rope.scaling.original_context_length")
        {
            growth = QueryGrowth(rate: rate, period: period)
        }
        model.changeLayers { layer, _ in
            layer.attention.slidingWindow = window
            layer.attention.queryGrowth = growth
        }
    }

    private static let mistralSizes = Defaults(
        vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 14_336, layerCount: 32, headCount: 32,
        keyValueHeadCount: 8, maximumPositions: 131_072)
}
