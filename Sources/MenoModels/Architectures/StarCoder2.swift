extension Architecture {
    /// StarCoder 2 (Lozhkov et al., 2024, arXiv:2402.19173): a Mistral with LayerNorm, biases and no gate.
    static let starCoder2 = Architecture(
        modelType: "starcoder2", className: "Starcoder2ForCausalLM", ggufNames: ["starcoder2"],
        ggufIgnoresWindows: true, llamaCpp: [.anyHead, .inputBiases, .outputBiases, .feedForwardBiases],
        ggufKeys: { model in
            guard model.layers[0].feedForward.hasBias else {
                throw ModelError.notInGGUF("needs the biases of a starcoder2")
            }
            return try model.ggufWindows(.fixed)
        },
        names: WeightNames.llama.without(.gate).with([.up: ("mlp.c_fc", "ffn_up"), .down: ("mlp.c_proj", "ffn_down")]),
        defaults: Defaults(
            vocabularySize: 49_152, hiddenSize: 3072, intermediateSize: 12_288, layerCount: 30, headCount: 24,
            keyValueHeadCount: 2, maximumPositions: 4096, normEpsilon: 1e-5, normEpsilonKey: "norm_epsilon",
            activation: .geluTanh, tiesEmbeddings: true)
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: "attention.sliding_window")
        let hasBias = try keys.json.map { try $0.bool("use_bias") ?? true } ?? model.layers[0].feedForward.hasBias
        model.finalNorm.kind = .layer(hasBias: true)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            layer.attention.hasInputBias = hasBias
            layer.attention.hasOutputBias = hasBias
            layer.attention.slidingWindow = window
            layer.feedForward.form = .plain
            layer.feedForward.hasBias = hasBias
        }
    }
}
