extension Architecture {
    /// Granite 4 without Mamba layers: beside the experts, if there are any, a block that every token meets.
    static let graniteMoEHybrid = Architecture(
        modelType: "granitemoehybrid", className: "GraniteMoeHybridForCausalLM", isWrittenAsGGUF: false,
        names: graniteExperts.with([
            .sharedGateUp: ("shared_mlp.input_linear", "ffn_gate_up_shexp"),
            .sharedDown: ("shared_mlp.output_linear", "ffn_down_shexp"),
        ]), defaults: graniteSizes
    ) { model, keys in
        let kinds = try keys.json.map { try $0.strings("layer_types") ?? $0.strings("layers_block_type") ?? ["mamba"] }
        if let other = kinds?.first(where: { !["full_attention", "attention"].contains($0) }) {
            throw ModelError(
                .unsupported, at: keys.path, "layers of the type \"\(other)\" are not supported.",
                advice: "Only Granite 4 models without Mamba layers are supported.")
        }
        try model.scaleAsGranite(keys)
        let encodesPositions = try keys.json?.string("position_embedding_type") == "rope"
        let size = try keys.int("shared_intermediate_size", gguf: nil, default: 1024) ?? 1024
        if try keys.int("num_local_experts", gguf: nil, default: 8) ?? 0 > 0 { try model.addGraniteExperts(keys) }
        model.changeLayers { layer, _ in
            if !encodesPositions { layer.attention.rotary = nil }
            layer.feedForward.experts?.shared = .init(intermediateSize: size, isFused: true)
            guard layer.feedForward.experts == nil else { return }
            layer.feedForward.intermediateSize = size
            layer.feedForward.form = .fusedGate
            layer.feedForward.hasSharedNames = true
        }
    }
}
