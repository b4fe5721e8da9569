extension Architecture {
    /// Qwen 2 and 2.5 (Qwen Team, 2024, arXiv:2412.15115): a Llama with biases for queries, keys and values.
    static let qwen2 = Architecture(
        modelType: "qwen2", className: "Qwen2ForCausalLM", ggufNames: ["qwen2"], llamaCpp: [.anyHead, .inputBiases],
        defaults: Defaults(
            vocabularySize: 151_936, hiddenSize: 4096, intermediateSize: 22_016, layerCount: 32, headCount: 32,
            keyValueHeadCount: 32, maximumPositions: 32_768)
    ) { model, keys in
        model.changeLayers { layer, _ in
            layer.attention.hasInputBias = true
            layer.attention.hasOutputBias = false
        }
        try keys.setQwenWindows(&model)
    }
}

extension ModelKeys {
    /// Qwen's windows: none unless the file turns them on, and then in the layers from `max_window_layers`.
    func setQwenWindows(_ model: inout DecoderConfiguration) throws {
        guard try bool("use_sliding_window") else { return }
        let first = try int("max_window_layers", gguf: nil, default: 28) ?? 28
        try setWindows(&model, default: 4096) { $0 >= first }
    }
}
