extension ConfigurationJSON {
    /// The model that a Llama with these sizes would be.
    func llama(_ architecture: Architecture) throws -> DecoderConfiguration {
        let defaults = architecture.defaults
        let named = { (key: String) in defaults.keys[key] ?? key }
        let size = { (key: String, fallback: Int?) in
            try int(named(key)) ?? fallback ?? required(named(key), int)
        }
        let hidden = try size("hidden_size", defaults.hiddenSize)
        let heads = try size("num_attention_heads", defaults.headCount)
        guard heads > 0 else { throw ModelError(.malformed, at: path, "\"num_attention_heads\" is \(heads).") }
        let dimension = try int("head_dim") ?? defaults.headDimension ?? hidden / heads
        let norm = NormConfiguration(epsilon: try double(defaults.normEpsilonKey) ?? defaults.normEpsilon)
        let hasBias = try bool("attention_bias") ?? defaults.attentionBias
        let attention = AttentionConfiguration(
            headCount: heads,
            keyValueHeadCount: try int(named("num_key_value_heads")) ?? defaults.keyValueHeadCount ?? heads,
            headDimension: dimension, hasInputBias: hasBias, hasOutputBias: hasBias,
            rotary: try rotary(defaults, headDimension: dimension), scale: 1 / Double(max(dimension, 1)).squareRoot())
        let feedForward = FeedForwardConfiguration(
            intermediateSize: try size(
                "intermediate_size", defaults.intermediateSize ?? defaults.intermediateFactor.map { $0 * hidden }),
            activation: try activation(defaults.activationKey, default: defaults.activation),
            hasBias: try bool("mlp_bias") ?? false)
        let layer = LayerConfiguration(attention: attention, feedForward: feedForward, norm: norm)
        var positions = try int(named("max_position_embeddings")) ?? defaults.maximumPositions
        if case .dynamic(let factor, _)? = attention.rotary?.scaling {
            positions = Int(min(Double(positions) * factor, Double(1 << 24)))
        }
        return DecoderConfiguration(
            modelType: architecture.modelType, vocabularySize: try size("vocab_size", defaults.vocabularySize),
            hiddenSize: hidden,
            layers: Array(
                repeating: layer, count: try layerCount(named("num_hidden_layers"), default: defaults.layerCount)),
            finalNorm: norm, tiesEmbeddings: try bool("tie_word_embeddings") ?? defaults.tiesEmbeddings,
            maximumPositions: positions)
    }

    /// The number of layers, which must agree with `num_hidden_layers` and the length of `layer_types`.
    private func layerCount(_ key: String, default fallback: Int?) throws -> Int {
        let count = try int(key) ?? fallback ?? required(key, int)
        guard count > 0, count <= 1024 else {
            throw ModelError(.malformed, at: path, "\"\(key)\" is \(count); expected between 1 and 1024.")
        }
        if let types = try strings("layer_types") {
            guard types.count == count else {
                throw ModelError(
                    .malformed, at: path, "\"layer_types\" has \(types.count) entries for \(count) layers.")
            }
            let known = ["sliding_attention", "full_attention", "attention"]
            if let other = types.first(where: { !known.contains($0) }) {
                throw ModelError(.unsupported, at: path, "the layer type \"\(other)\" is not supported.")
            }
        }
        return count
    }

    private func activation(
        _ key: String, default fallback: FeedForwardConfiguration.Activation
    ) throws -> FeedForwardConfiguration.Activation {
        switch try string(key) {
        case nil: fallback
        case "silu", "swish": .silu
        case "gelu_pytorch_tanh", "gelu_new": .geluTanh
        case "gelu": .gelu
        case "relu2": .reluSquared
        case "xielu": .xielu
        case let other?:
            throw ModelError(
                .unsupported, at: path, "\"\(key)\": \"\(other)\" is not supported.",
                advice: "Supported: silu, gelu, gelu_pytorch_tanh, gelu_new, relu2, xielu.")
        }
    }
}
