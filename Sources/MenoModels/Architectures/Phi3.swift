internal import MenoFormats

extension Architecture {
    /// Phi-3, 3.5 and 4 (Abdin et al., 2024, arXiv:2404.14219): a Llama with a fused matrix for queries, keys and values, and one
    /// for gate and up.
    static let phi3 = Architecture(
        modelType: "phi3", className: "Phi3ForCausalLM", ggufNames: ["phi3"],
        ggufIgnoresWindows: true, ggufKeys: { try $0.ggufWindows(.fixed) },
        names: WeightNames.llama.withFusedAttention.withFusedGate,
        defaults: Defaults(
            vocabularySize: 32_064, hiddenSize: 3072, intermediateSize: 8192, layerCount: 32, headCount: 32,
            maximumPositions: 4096, normEpsilon: 1e-5, originalPositions: 4096)
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: "attention.sliding_window")
        model.changeLayers { layer, _ in
            layer.attention.isFused = true
            layer.attention.slidingWindow = window.flatMap { $0 > 0 ? $0 : nil }
            layer.feedForward.form = .fusedGate
        }
    }
}
