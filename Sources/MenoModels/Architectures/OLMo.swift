internal import MenoFormats

extension Architecture {
    /// OLMo 2 (OLMo Team, 2024, arXiv:2501.00656): norms after each block, and norms over all heads' queries and keys together.
    ///
    /// llama.cpp uses the same name for OLMo 3.
    static let olmo2 = Architecture(
        modelType: "olmo2", className: "Olmo2ForCausalLM", ggufNames: ["olmo2"], llamaCpp: .ownHead,
        ggufKeys: { try $0.ggufWindows(.period) }, names: olmoNames, defaults: olmoSizes
    ) { model, keys in
        model.normalizeOutputs()
        guard try keys.gguf?.int("attention.sliding_window") != nil else { return }
        let rotary = model.layers[0].attention.rotary
        try model.addOLMo3Windows(keys, global: rotary, local: RotaryConfiguration(base: rotary?.base ?? 500_000))
    }

    /// OLMo 3: an OLMo 2 with a sliding window in three of every four layers.
    static let olmo3 = Architecture(
        modelType: "olmo3", className: "Olmo3ForCausalLM", ggufTwin: "olmo2", names: olmoNames,
        defaults: olmoSizes
    ) { model, keys in
        model.normalizeOutputs()
        guard let json = keys.json else { return }
        let (global, local) = try json.rotaries(global: 500_000, local: 500_000, headDimension: model.headDimension)
        try model.addOLMo3Windows(keys, global: global, local: local)
    }

    private static let olmoNames = WeightNames.llama.withNormsOfOutputs.withQueryKeyNorms

    private static let olmoSizes = Defaults(
        vocabularySize: 50_304, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32,
        normEpsilon: 1e-5)
}

extension DecoderConfiguration {
    fileprivate mutating func normalizeOutputs() {
        let norm = QueryKeyNormConfiguration(norm: finalNorm, scope: .projection)
        changeLayers { layer, _ in
            layer.normPlacement = .after
            layer.attention.queryKeyNorm = norm
        }
    }

    fileprivate mutating func addOLMo3Windows(
        _ keys: ModelKeys, global: RotaryConfiguration?, local: RotaryConfiguration
    ) throws {
        let period = try keys.gguf == nil ? 4 : keys.windowPeriod(default: 4)
        try keys.setWindows(&self, default: 4096) { ($0 + 1) % period != 0 }
        changeLayers { layer, _ in
            layer.attention.rotary = layer.attention.slidingWindow == nil ? global : local
        }
    }
}
