extension Architecture {
    /// Nemotron and Minitron (Parmar et al., 2024, arXiv:2402.16819): LayerNorm with weights as offsets from one, half of each
    /// head rotated, and a squared ReLU.
    static let nemotron = Architecture(
        modelType: "nemotron", className: "NemotronForCausalLM", ggufNames: ["nemotron"],
        llamaCpp: [.ownHead, .inputBiases, .outputBiases, .feedForwardBiases],
        names: WeightNames.llama.without(.gate),
        defaults: Defaults(
            vocabularySize: 256_000, hiddenSize: 6144, intermediateSize: 24_576, layerCount: 32, headCount: 48,
            maximumPositions: 4096, normEpsilon: 1e-5, normEpsilonKey: "norm_eps", rotaryShare: 0.5,
            activation: .reluSquared)
    ) { model, _ in
        model.finalNorm.kind = .layer(hasBias: true, offset: 1)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true, offset: 1)
            layer.feedForward.form = .plain
        }
    }
}
