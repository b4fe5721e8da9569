internal import MenoFormats

extension Architecture {
    /// GLM-4.5 (GLM Team, 2025, arXiv:2508.06471): grouped experts, chosen by sigmoids plus a bias, and shared experts. The first
    /// layers are dense. Layers for multi-token prediction are not read.
    static let glm4MoE = Architecture(
        modelType: "glm4_moe", className: "Glm4MoeForCausalLM", ggufNames: ["glm4moe"],
        llamaCpp: [.wideHeads, .anyHead, .inputBiases], ggufKeys: { $0.ggufGroupedExperts },
        names: WeightNames.llama.withQueryKeyNorms.withExperts.withSharedExperts("mlp.shared_experts").with([
            .feedForwardNorm: ("post_attention_layernorm", "post_attention_norm")
        ]),
        defaults: Defaults(
            vocabularySize: 151_552, hiddenSize: 4096, intermediateSize: 10_944, layerCount: 46, headCount: 96,
            keyValueHeadCount: 8, maximumPositions: 131_072, normEpsilon: 1e-5, rotaryShare: 0.5,
            routerLossCoefficient: nil)
    ) { model, keys in
        if let ahead = try keys.gguf?.int("nextn_predict_layers"), ahead > 0, ahead < model.layers.count {
            model.layers.removeLast(ahead)
        }
        let dense = try keys.int("first_k_dense_replace", gguf: "leading_dense_block_count", default: 1) ?? 1
        var experts = try keys.experts(count: 128, chosen: 8, size: 1408)
        experts.scoring = .sigmoid
        experts.correctsChoice = true
        experts.normalizesWeights =
            try keys.json?.bool("norm_topk_prob") ?? keys.gguf?.bool("expert_weights_norm") ?? true
        experts.weightScale = try keys.double("routed_scaling_factor", gguf: "expert_weights_scale") ?? 1
        let (groups, best) = (try keys.int("n_group", gguf: nil) ?? 1, try keys.int("topk_group", gguf: nil) ?? 1)
        if groups > 1 { experts.groups = .init(count: groups, chosen: best) }
        let shared = try keys.int("n_shared_experts", gguf: "expert_shared_count", default: 1) ?? 1
        experts.shared = .init(intermediateSize: shared * experts.intermediateSize)
        let normalizes = try keys.json?.bool("use_qk_norm") ?? keys.gguf?.has("blk.0.attn_q_norm.weight") ?? false
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        model.changeLayers { layer, index in
            layer.attention.hasOutputBias = false
            if normalizes { layer.attention.queryKeyNorm = norm }
            if index >= dense { layer.feedForward.experts = experts }
        }
    }
}

extension DecoderConfiguration {
    fileprivate var ggufGroupedExperts: [(key: String, value: GGUFValue)] {
        guard let dense = layers.firstIndex(where: { $0.feedForward.experts != nil }),
            let experts = layers[dense].feedForward.experts
        else { return [] }
        let shared = (experts.shared?.intermediateSize ?? 0) / experts.intermediateSize
        return ggufExperts(size: true) + [
            ("expert_shared_count", .count(shared)), ("leading_dense_block_count", .count(dense)),
            // Sigmoids.
            ("expert_gating_func", .count(2)), ("expert_weights_scale", .real(experts.weightScale)),
            ("expert_weights_norm", .bool(experts.normalizesWeights)),
        ]
    }
}
