extension Architecture {
    /// Qwen 3 with mixtures of experts (Qwen Team, 2025, arXiv:2505.09388).
    static let qwen3MoE = Architecture(
        modelType: "qwen3_moe", className: "Qwen3MoeForCausalLM", ggufNames: ["qwen3moe"],
        llamaCpp: [.wideHeads, .anyHead], ggufKeys: { $0.ggufExperts(size: true) },
        names: WeightNames.llama.withQueryKeyNorms.withExperts,
        defaults: Defaults(
            vocabularySize: 151_936, hiddenSize: 2048, intermediateSize: 6144, layerCount: 24, headCount: 32,
            keyValueHeadCount: 4, maximumPositions: 32_768)
    ) { model, keys in
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        model.changeLayers { layer, _ in layer.attention.queryKeyNorm = norm }
        let window = try keys.bool("use_sliding_window") ? keys.int("sliding_window", gguf: nil, default: 4096) : nil
        model.changeLayers { layer, _ in layer.attention.slidingWindow = window }
        var experts = try keys.experts(count: 128, chosen: 8, size: 768)
        // llama.cpp always normalizes the weights.
        experts.normalizesWeights = try keys.json.map { try $0.bool("norm_topk_prob") ?? false } ?? true
        try keys.setQwenExperts(&model, experts)
    }
}

extension ModelKeys {
    /// Gives Qwen's layers experts, except for those that the files list as dense.
    func setQwenExperts(_ model: inout DecoderConfiguration, _ experts: ExpertsConfiguration) throws {
        let dense = Set(try json?.ints("mlp_only_layers") ?? [])
        let period = try int("decoder_sparse_step", gguf: nil, default: 1) ?? 1
        guard period > 0 else {
            throw ModelError(.malformed, at: path, "\"decoder_sparse_step\" is \(period); expected above 0.")
        }
        model.changeLayers { layer, index in
            if !dense.contains(index), (index + 1) % period == 0 { layer.feedForward.experts = experts }
        }
    }
}
