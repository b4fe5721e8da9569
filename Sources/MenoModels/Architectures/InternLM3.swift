extension Architecture {
    /// InternLM 3 (Shanghai AI Laboratory, 2025), as the code in its repository computes it: a Llama.
    ///
    /// llama.cpp calls it `llama`.
    static let internLM3 = Architecture(
        modelType: "internlm3", className: "InternLM3ForCausalLM", ggufTwin: "llama",
        defaults: Defaults(
            vocabularySize: 128_512, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32,
            maximumPositions: 32_768)
    ) { model, keys in
        let (hasInputBias, hasBias) = (try keys.bool("qkv_bias"), try keys.bool("bias"))
        model.changeLayers { layer, _ in
            layer.attention.hasInputBias = hasInputBias
            layer.attention.hasOutputBias = hasBias
            layer.feedForward.hasBias = hasBias
        }
    }
}
