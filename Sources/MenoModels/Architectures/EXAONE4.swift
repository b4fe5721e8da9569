internal import MenoFormats

extension Architecture {
    /// EXAONE 4 (LG AI Research, 2025, arXiv:2507.11407): norms after each block, and normalized queries and keys. In models
    /// where some layers have a sliding window, only these encode positions.
    static let exaone4 = Architecture(
        modelType: "exaone4", className: "Exaone4ForCausalLM", ggufNames: ["exaone4"],
        llamaCpp: [.anyHead, .frequencyFactors],
        ggufKeys: { model in
            let keys = try model.ggufWindows(.flags)
            // llama.cpp reads windows only for EXAONE 4 32B.
            guard keys.isEmpty || model.layerCount == 64 else {
                throw ModelError.notInGGUF("computes windows of a \(model.modelType) with 64 layers")
            }
            return keys
        },
        names: WeightNames.llama.withNormsOfOutputs.withQueryKeyNorms,
        defaults: Defaults(
            vocabularySize: 102_400, hiddenSize: 4096, intermediateSize: 16_384, layerCount: 32, headCount: 32,
            keyValueHeadCount: 32, normEpsilon: 1e-5)
    ) { model, keys in
        let norm = QueryKeyNormConfiguration(norm: model.finalNorm)
        let hasWindows =
            try keys.int(
                "sliding_window", gguf: "attention.sliding_window", default: keys.json == nil ? nil : 4096) != nil
        // The period is a number, or a string such as "LLLG".
        let period = try keys.json.map { try (try? $0.int("sliding_window_pattern")) ?? $0.patternLength() } ?? 4
        // Without windows transformers writes 0.
        guard period > 0 || !hasWindows else {
            throw ModelError(.malformed, at: keys.path, "\"sliding_window_pattern\" is \(period); expected above 0.")
        }
        if hasWindows { try keys.setWindows(&model, default: 4096) { ($0 + 1) % period != 0 } }
        model.changeLayers { layer, _ in
            layer.normPlacement = .after
            layer.attention.queryKeyNorm = norm
            if hasWindows, layer.attention.slidingWindow == nil { layer.attention.rotary = nil }
        }
    }
}

extension ConfigurationJSON {
    fileprivate func patternLength() throws -> Int { try string("sliding_window_pattern")?.count ?? 4 }
}
