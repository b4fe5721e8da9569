extension Architecture {
    /// SmolLM 3 (Hugging Face, 2025): a Llama in which every fourth layer encodes no positions.
    static let smollm3 = Architecture(
        modelType: "smollm3", className: "SmolLM3ForCausalLM", ggufNames: ["smollm3"], permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 128_256, hiddenSize: 2048, intermediateSize: 11_008, layerCount: 36, headCount: 16,
            keyValueHeadCount: 4, maximumPositions: 32_768, rotaryBase: 2_000_000, tiesEmbeddings: true)
    ) { model, keys in
        let interval = try keys.int("no_rope_layer_interval", gguf: nil, default: 4) ?? 4
        guard interval > 0 else {
            throw ModelError(
                .malformed, at: keys.path, "\"no_rope_layer_interval\" is \(interval); expected above 0.")
        }
        let listed = try keys.json?.ints("no_rope_layers")
        guard (listed?.count ?? model.layerCount) >= model.layerCount else {
            throw ModelError(
                .malformed, at: keys.path, "\"no_rope_layers\" has fewer entries than the model has layers.")
        }
        let rotates = { (index: Int) in listed.map { $0[index] != 0 } ?? ((index + 1) % interval != 0) }
        if try keys.bool("use_sliding_window") {
            try keys.setWindows(&model, default: nil) { !rotates($0) }
        }
        model.changeLayers { layer, index in
            if !rotates(index) { layer.attention.rotary = nil }
        }
    }
}
