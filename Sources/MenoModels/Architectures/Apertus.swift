extension Architecture {
    /// Apertus (Swiss AI, 2025, arXiv:2509.14233): normalized queries and keys, and the learned activation xIELU.
    static let apertus = Architecture(
        modelType: "apertus", className: "ApertusForCausalLM", isWrittenAsGGUF: false,
        names: WeightNames.llama.without(.gate).withQueryKeyNorms.with([
            .attentionNorm: ("attention_layernorm", "attn_norm"),
            .feedForwardNorm: ("feedforward_layernorm", "ffn_norm"),
        ]),
        defaults: Defaults(
            vocabularySize: 131_072, hiddenSize: 4096, intermediateSize: 14_336, layerCount: 32, headCount: 32,
            maximumPositions: 65_536, normEpsilon: 1e-5, rotaryBase: 12_000_000, activation: .xielu)
    ) { model, keys in
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        let isScaled = keys.json.map { !$0.has("rope_parameters") && !$0.has("rope_scaling") } ?? false
        model.changeLayers { layer, _ in
            layer.attention.queryKeyNorm = norm
            layer.feedForward.form = .plain
            guard isScaled else { return }
            layer.attention.rotary?.scaling = .llama3(
                factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192)
        }
    }
}
