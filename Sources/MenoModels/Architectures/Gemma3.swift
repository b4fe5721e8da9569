extension Architecture {
    /// Gemma 3's text model (Gemma Team, 2025, arXiv:2503.19786): normalized queries and keys, five layers within a sliding
    /// window to each that attends to all, and a rotary base of their own for either kind.
    ///
    /// The `config.json` of google/gemma-3-4b-it leaves most sizes out.
    static let gemma3 = Architecture(
        modelType: "gemma3_text", className: "Gemma3ForCausalLM", multimodalTypes: ["gemma3"], ggufNames: ["gemma3"],
        names: WeightNames.llama.withNormsOnBothSides.withQueryKeyNorms,
        defaults: Defaults(
            vocabularySize: 262_208, hiddenSize: 2304, intermediateSize: 9216, layerCount: 26, headCount: 8,
            keyValueHeadCount: 4, headDimension: 256, maximumPositions: 131_072, rotaryBase: 1_000_000,
            activation: .geluTanh, activationKey: "hidden_activation", tiesEmbeddings: true)
    ) { model, keys in
        try keys.json?.refuse("use_bidirectional_attention")
        try model.makeGemma(keys, layersOf27B: 62)
        model.finalSoftcap = try keys.double("final_logit_softcapping", gguf: "final_logit_softcapping")
        let period = try keys.json?.int("sliding_window_pattern") ?? keys.gguf?.windowPeriod() ?? 6
        guard period > 0 else {
            throw ModelError(.malformed, path: keys.path, "\"sliding_window_pattern\" is \(period); expected above 0.")
        }
        try keys.setWindows(&model, default: keys.json == nil ? 512 : 4096) { ($0 + 1) % period != 0 }
        let (global, local) = try rotaries(keys, model)
        let norm = NormConfiguration(kind: .rootMeanSquare(offset: 1), epsilon: model.finalNorm.epsilon)
        model.changeLayers { layer, _ in
            layer.attention.queryKeyNorm = QueryKeyNormConfiguration(norm: norm)
            layer.attention.rotary = layer.attention.slidingWindow == nil ? global : local
        }
    }

    /// How the layers that attend to all encode positions, and how the others do.
    private static func rotaries(
        _ keys: ModelKeys, _ model: DecoderConfiguration
    ) throws -> (global: RotaryConfiguration?, local: RotaryConfiguration) {
        guard let json = keys.json else {
            let base = try keys.gguf?.double("rope.freq_base_swa") ?? 10_000
            return (model.layers[0].attention.rotary, RotaryConfiguration(base: base))
        }
        let kinds = try json.section("rope_parameters")
        var global = try kinds?.section("full_attention")
        if let scaling = try json.section("rope_scaling") { global = global?.updated(with: scaling) ?? scaling }
        let dimension = model.headDimension
        return (
            try json.rotary(global, base: json.double("rope_theta") ?? 1_000_000, headDimension: dimension),
            try json.rotary(
                kinds?.section("sliding_attention"), base: json.double("rope_local_base_freq") ?? 10_000,
                headDimension: dimension)
        )
    }
}
