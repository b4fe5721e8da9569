internal import MenoFormats

extension Architecture {
    /// Granite 3 (IBM, 2024): a Llama whose embeddings, scores, blocks and logits are scaled.
    static let granite = Architecture(
        modelType: "granite", className: "GraniteForCausalLM", ggufNames: ["granite"], llamaCpp: .llama,
        ggufKeys: { $0.ggufScales }, permutesRotaryRows: true,
        defaults: Defaults(
            vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32)
    ) { model, keys in try model.scaleAsGranite(keys) }
}

extension DecoderConfiguration {
    /// What ``scaleAsGranite(_:)`` reads.
    var ggufScales: [(key: String, value: GGUFValue)] {
        [
            ("embedding_scale", .real(embeddingScale)), ("logit_scale", .real(1 / logitScale)),
            ("attention.scale", .real(layers[0].attention.scale)), ("residual_scale", .real(layers[0].residualScale)),
        ]
    }

    /// Scales embeddings, scores, blocks and logits as the files say.
    mutating func scaleAsGranite(_ keys: ModelKeys) throws {
        embeddingScale = try keys.double("embedding_multiplier", gguf: "embedding_scale") ?? 1
        let divisor = try keys.double("logits_scaling", gguf: "logit_scale") ?? 1
        guard divisor > 0 else {
            throw ModelError(.malformed, at: keys.path, "\"logits_scaling\" is \(divisor); expected above 0.")
        }
        logitScale = 1 / divisor
        let score = try keys.double("attention_multiplier", gguf: "attention.scale")
        // llama.cpp's switch for positions, which Granite 4 does not encode.
        let encodesPositions = try keys.gguf?.bool("rope.scaling.finetuned") ?? true
        if keys.gguf?.has("blk.0.ffn_gate_shexp.weight") ?? false {
            throw ModelError(
                .unsupported, at: keys.path,
                "shared experts are not supported in GGUF files of Granite models.",
                advice: "Give the model's Hugging Face folder.")
        }
        let residual = try keys.double("residual_multiplier", gguf: "residual_scale") ?? 1
        changeLayers { layer, _ in
            // A GGUF file without it means the usual one.
            layer.attention.scale = score ?? (keys.json == nil ? layer.attention.scale : 1)
            layer.residualScale = residual
            if !encodesPositions { layer.attention.rotary = nil }
        }
    }
}
