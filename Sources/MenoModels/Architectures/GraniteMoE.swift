extension Architecture {
    /// Granite 3 with mixtures of experts (IBM, 2024): a Granite whose router compares the experts that it chose.
    static let graniteMoE = Architecture(
        modelType: "granitemoe", className: "GraniteMoeForCausalLM", ggufNames: ["granitemoe"], isWrittenAsGGUF: false,
        names: graniteExperts,
        permutesRotaryRows: true, defaults: graniteSizes
    ) { model, keys in
        try model.scaleAsGranite(keys)
        try model.addGraniteExperts(keys)
    }

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
                advice: "Of Granite 4, the models without Mamba layers are.")
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

    private static let graniteSizes = Defaults(
        vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32)

    private static var graniteExperts: WeightNames {
        let module = "block_sparse_moe"
        var names = WeightNames.llama.without(.gate, .up, .down).with([
            .router: ("\(module).router.layer", "ffn_gate_inp"),
            .expertGate: ("\(module).experts.*.gate_proj", "ffn_gate_exps"),
            .expertUp: ("\(module).experts.*.up_proj", "ffn_up_exps"),
            .expertDown: ("\(module).experts.*.down_proj", "ffn_down_exps"),
        ])
        names.experts = ExpertNames(
            module: "\(module).experts", router: "\(module).router",
            stacks: [
                .init(gateUp: "\(module).input_linear.weight", down: "\(module).output_linear.weight"),
                .init(gateUp: "\(module).experts.gate_up_proj", down: "\(module).experts.down_proj"),
            ], writesStacks: true)
        return names
    }
}

extension DecoderConfiguration {
    fileprivate mutating func addGraniteExperts(_ keys: ModelKeys) throws {
        var experts = try keys.experts(count: 8, chosen: 2, size: intermediateSize)
        experts.scoring = .softmaxOfChosen
        changeLayers { layer, _ in layer.feedForward.experts = experts }
    }
}
