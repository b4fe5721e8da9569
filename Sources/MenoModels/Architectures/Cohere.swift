internal import MenoFormats

extension Architecture {
    /// Command R (Cohere, 2024): both blocks take the same normalized states, neighbors are rotated in pairs, and logits are
    /// scaled.
    static let cohere = Architecture(
        modelType: "cohere", className: "CohereForCausalLM", ggufNames: ["command-r"], llamaCpp: .tiedHead,
        ggufKeys: { model in
            // llama.cpp reads these norms only for Command R+.
            guard model.layers[0].attention.queryKeyNorm == nil || model.layerCount >= 64 else {
                throw ModelError.notInGGUF("normalizes queries and keys of a \(model.modelType) with 64 layers or more")
            }
            return [("logit_scale", .real(model.logitScale))]
        },
        names: WeightNames.llama.without(.feedForwardNorm).withQueryKeyNorms, defaults: cohereSizes(rotaryBase: 500_000)
    ) { model, keys in
        try model.makeCohere(keys)
        guard try keys.bool("use_qk_norm") || keys.gguf?.has("blk.0.attn_q_norm.weight") ?? false else { return }
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm, scope: .eachHead)
        model.changeLayers { layer, _ in layer.attention.queryKeyNorm = norm }
    }

    /// Command R7B and Command A: three of every four layers have a sliding window, and only these encode positions.
    static let cohere2 = Architecture(
        modelType: "cohere2", className: "Cohere2ForCausalLM", ggufNames: ["cohere2"], llamaCpp: .tiedHead,
        ggufKeys: { try [("logit_scale", .real($0.logitScale))] + $0.ggufWindows(.period) },
        names: WeightNames.llama.without(.feedForwardNorm), defaults: cohereSizes(rotaryBase: 10_000)
    ) { model, keys in
        try model.makeCohere(keys)
        let period = try keys.windowPeriod(default: 4)
        try keys.setWindows(&model, default: 4096) { ($0 + 1) % period != 0 }
        model.changeLayers { layer, _ in
            if layer.attention.slidingWindow == nil { layer.attention.rotary = nil }
        }
    }

    private static func cohereSizes(rotaryBase: Double) -> Defaults {
        Defaults(
            vocabularySize: 256_000, hiddenSize: 8192, intermediateSize: 22_528, layerCount: 40, headCount: 64,
            maximumPositions: 8192, normEpsilon: 1e-5, normEpsilonKey: "layer_norm_eps", rotaryBase: rotaryBase,
            tiesEmbeddings: true)
    }
}

extension DecoderConfiguration {
    fileprivate mutating func makeCohere(_ keys: ModelKeys) throws {
        logitScale = try keys.double("logit_scale", gguf: "logit_scale", default: 0.0625) ?? 1
        finalNorm.kind = .layer(hasBias: false)
        changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: false)
            layer.normPlacement = .parallel
            layer.attention.rotary?.isInterleaved = true
        }
    }
}
