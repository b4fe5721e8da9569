extension Architecture {
    /// Gemma 1 (Gemma Team, 2024, arXiv:2403.08295): a Llama with scaled embeddings, whose norm weights are offsets from one.
    static let gemma = Architecture(
        modelType: "gemma", className: "GemmaForCausalLM", ggufNames: ["gemma"], llamaCpp: [.wideHeads, .tiedHead],
        defaults: Defaults(
            vocabularySize: 256_000, hiddenSize: 3072, intermediateSize: 24_576, layerCount: 28, headCount: 16,
            keyValueHeadCount: 16, headDimension: 256, maximumPositions: 8192, activation: .geluTanh,
            tiesEmbeddings: true)
    ) { model, keys in
        try keys.json?.refuse("use_bidirectional_attention")
        model.embeddingScale = Double(max(model.hiddenSize, 0)).squareRoot()
        model.finalNorm.kind = .rootMeanSquare(offset: 1)
        model.changeLayers { layer, _ in
            layer.norm.kind = .rootMeanSquare(offset: 1)
            // The first files say "gelu" but mean its tanh approximation.
            if layer.feedForward.activation == .gelu { layer.feedForward.activation = .geluTanh }
        }
    }
}
