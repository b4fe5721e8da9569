internal import MenoFormats

extension Architecture {
    /// OLMo 1 (Groeneveld et al., 2024, arXiv:2402.00838): a Llama whose norms have no weights.
    static let olmo = Architecture(
        modelType: "olmo", className: "OlmoForCausalLM", ggufNames: ["olmo"],
        ggufKeys: { model in model.layers[0].attention.clip.map { [("attention.clamp_kqv", .real($0))] } ?? [] },
        names: WeightNames.llama.without(.attentionNorm, .feedForwardNorm, .finalNorm), permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 50_304, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32,
            normEpsilon: 1e-5)
    ) { model, keys in
        let clip = try keys.double("clip_qkv", gguf: "attention.clamp_kqv")
        model.finalNorm = NormConfiguration(kind: .standard, epsilon: 1e-5)
        model.changeLayers { layer, _ in
            layer.norm = NormConfiguration(kind: .standard, epsilon: 1e-5)
            layer.attention.clip = clip.flatMap { $0 > 0 ? $0 : nil }
        }
    }
}
