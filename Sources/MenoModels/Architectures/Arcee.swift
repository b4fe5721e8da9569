extension Architecture {
    /// AFM (Arcee, 2025): a Llama whose feed-forward block has no gate and uses a squared ReLU.
    static let arcee = Architecture(
        modelType: "arcee", className: "ArceeForCausalLM", ggufNames: ["arcee"],
        llamaCpp: [.wideHeads, .anyHead, .frequencyFactors],
        names: WeightNames.llama.without(.gate), permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 32_000, hiddenSize: 2560, intermediateSize: 18_432, layerCount: 32, headCount: 32,
            maximumPositions: 4096, normEpsilon: 1e-5, activation: .reluSquared)
    ) { model, _ in
        model.changeLayers { layer, _ in layer.feedForward.form = .plain }
    }
}
