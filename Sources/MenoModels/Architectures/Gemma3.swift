internal import MenoFormats

extension Architecture {
    /// Gemma 3's text model (Gemma Team, 2025, arXiv:2503.19786): normalized queries and keys, and five layers with a sliding
    /// window for each layer with full attention. The two kinds have different rotary bases.
    ///
    /// The `config.json` of google/gemma-3-4b-it leaves most sizes out.
    static let gemma3 = Architecture(
        modelType: "gemma3_text", className: "Gemma3ForCausalLM", multimodalTypes: ["gemma3"], ggufNames: ["gemma3"],
        llamaCpp: [.wideHeads, .tiedHead],
        ggufKeys: { model in
            let local = model.layers.first { $0.attention.slidingWindow != nil }?.attention.rotary?.base ?? 10_000
            return try model.ggufWindows(.period) + [("rope.freq_base_swa", .real(local))]
        },
        names: WeightNames.llama.withNormsOnBothSides.withQueryKeyNorms,
        defaults: Defaults(
            vocabularySize: 262_208, hiddenSize: 2304, intermediateSize: 9216, layerCount: 26, headCount: 8,
            keyValueHeadCount: 4, headDimension: 256, maximumPositions: 131_072, rotaryBase: 1_000_000,
            activation: .geluTanh, activationKey: "hidden_activation", tiesEmbeddings: true)
    ) { model, keys in
        try keys.json?.refuse("use_bidirectional_attention")
        try model.makeGemma(keys, layersOf27B: 62)
        model.finalSoftcap = try keys.double("final_logit_softcapping", gguf: "final_logit_softcapping")
        let period = try keys.windowPeriod(default: 6)
        try keys.setWindows(&model, default: keys.json == nil ? 512 : 4096) { ($0 + 1) % period != 0 }
        let rotaries = try keys.json.map { json in
            let local = try json.double("rope_local_base_freq") ?? 10_000
            return try json.rotaries(global: 1_000_000, local: local, headDimension: model.headDimension)
        }
        let local = try rotaries?.local ?? .init(base: keys.gguf?.double("rope.freq_base_swa") ?? 10_000)
        let global = rotaries?.global ?? model.layers[0].attention.rotary
        let norm = NormConfiguration(kind: .rootMeanSquare(offset: 1), epsilon: model.finalNorm.epsilon)
        model.changeLayers { layer, _ in
            layer.attention.queryKeyNorm = QueryKeyNormConfiguration(norm: norm)
            layer.attention.rotary = layer.attention.slidingWindow == nil ? global : local
        }
    }
}
