/// Everything that distinguishes one decoder-only transformer from another: a tree with a branch for each layer.
///
/// An ``Architecture`` makes it from `config.json` or from GGUF metadata; ``Decoder`` computes any of them.
package struct DecoderConfiguration: Sendable, Hashable {
    /// What transformers calls the text model: `gemma3_text`, `qwen3`.
    package var modelType: String
    package var vocabularySize: Int
    package var hiddenSize: Int
    package var layers: [LayerConfiguration]
    package var finalNorm: NormConfiguration
    /// The number of learned position embeddings, which are added to the tokens' embeddings; `nil`: none.
    package var learnedPositions: Int?
    /// Embeddings are multiplied by this: √hidden for Gemma.
    package var embeddingScale: Double = 1
    /// Logits are multiplied by this, before they are capped.
    package var logitScale: Double = 1
    /// Logits become c · tanh(logit / c).
    package var finalSoftcap: Double?
    /// Whether the head shares the embedding table.
    package var tiesEmbeddings = true
    /// The coefficient of the router loss in training; `nil`: no router loss.
    package var routerLossCoefficient: Double?
    /// Whether the head has a bias.
    package var hasHeadBias = false
    /// The probability with which transformers drops attention weights while it trains. Meno drops none.
    package var attentionDropout = 0.0
    /// Whether this is the text part of a multimodal model, whose modules have other names (``ModuleNames``).
    package var isTextPart = false
    package var maximumPositions: Int

    package var layerCount: Int { layers.count }

    /// Whether the rotation angles of some layer depend on the length of the sequence.
    var dependsOnLength: Bool { layers.contains { $0.attention.rotary?.dependsOnLength ?? false } }

    /// Changes every layer; the closure also gets the layer's index.
    mutating func changeLayers(_ change: (inout LayerConfiguration, Int) throws -> Void) rethrows {
        for index in layers.indices { try change(&layers[index], index) }
    }
}

/// Sizes of the model: where layers differ, the largest.
extension DecoderConfiguration {
    package var intermediateSize: Int { largest { $0.feedForward.intermediateSize } }
    /// The number of inner values of a token in a feed-forward block, or in its chosen and shared experts.
    package var activeIntermediateSize: Int { largest { $0.feedForward.activeSize } }
    /// The number of experts chosen for a token in a layer; 0: the model has no experts.
    package var chosenExpertCount: Int { largest { $0.feedForward.experts?.chosen ?? 0 } }
    package var headCount: Int { largest { $0.attention.headCount } }
    package var keyValueHeadCount: Int { largest { $0.attention.keyValueHeadCount } }
    package var headDimension: Int { largest { $0.attention.headDimension } }
    /// Scores become c · tanh(score / c), in the first layer that does so.
    package var attentionSoftcap: Double? { layers.lazy.compactMap(\.attention.softcap).first }

    private func largest(_ size: (LayerConfiguration) -> Int) -> Int { layers.map(size).max() ?? 0 }
}

extension DecoderConfiguration {
    /// Checks the sizes and throws a ``ModelError`` for an impossible one.
    func validated(path: String?) throws -> DecoderConfiguration {
        let positive: [(String, Int)] = [
            ("vocab_size", vocabularySize), ("hidden_size", hiddenSize), ("num_hidden_layers", layers.count),
            ("max_position_embeddings", maximumPositions),
        ]
        try Self.requirePositive(positive, path: path)
        for layer in layers { try layer.validate(path: path) }
        return self
    }

    static func requirePositive(_ values: [(key: String, value: Int)], path: String?) throws {
        for (key, value) in values where value < 1 || value > 1 << 24 {
            throw ModelError(.malformed, at: path, "\(key) is \(value); expected between 1 and \(1 << 24).")
        }
    }
}

extension LayerConfiguration {
    fileprivate func validate(path: String?) throws {
        try DecoderConfiguration.requirePositive(
            [
                ("intermediate_size", feedForward.intermediateSize), ("num_attention_heads", attention.headCount),
                ("num_key_value_heads", attention.keyValueHeadCount), ("head_dim", attention.headDimension),
            ], path: path)
        guard attention.headCount % attention.keyValueHeadCount == 0 else {
            throw ModelError(
                .malformed, at: path,
                "num_attention_heads (\(attention.headCount)) is not a multiple of num_key_value_heads "
                    + "(\(attention.keyValueHeadCount)).")
        }
        if let window = attention.slidingWindow, window < 1 {
            throw ModelError(.malformed, at: path, "sliding_window is \(window); expected at least 1.")
        }
        if let growth = attention.queryGrowth, growth.period < 1 {
            throw ModelError(
                .malformed, at: path, "queries grow every \(growth.period) positions; expected at least 1.")
        }
        try attention.rotary?.validate(headDimension: attention.headDimension, path: path)
        try feedForward.experts?.validate(path: path)
    }
}
