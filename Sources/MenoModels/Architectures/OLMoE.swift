extension Architecture {
    /// OLMoE (Muennighoff et al., 2024, arXiv:2409.02060): experts in each layer, and norms over all heads' queries and keys
    /// together.
    static let olmoe = Architecture(
        modelType: "olmoe", className: "OlmoeForCausalLM", ggufNames: ["olmoe"],
        ggufKeys: { model in
            guard model.headCount == model.keyValueHeadCount else {
                throw ModelError.notInGGUF("normalizes as many keys as queries in an olmoe")
            }
            return model.ggufExperts(size: false)
        },
        names: WeightNames.llama.withQueryKeyNorms.withExperts.without(.gate, .up, .down),
        defaults: Defaults(
            vocabularySize: 50_304, hiddenSize: 2048, intermediateSize: 2048, layerCount: 16, headCount: 16,
            maximumPositions: 4096, normEpsilon: 1e-5, routerLossCoefficient: 0.01)
    ) { model, keys in
        var experts = try keys.experts(count: 64, chosen: 8, size: model.intermediateSize)
        experts.normalizesWeights = try keys.bool("norm_topk_prob")
        let clip = try keys.double("clip_qkv", gguf: nil)
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm, scope: .projection)
        model.changeLayers { layer, _ in
            layer.attention.queryKeyNorm = norm
            layer.attention.clip = clip
            layer.feedForward.experts = experts
        }
    }
}
