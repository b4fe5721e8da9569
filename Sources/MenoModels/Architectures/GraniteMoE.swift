extension Architecture {
    /// Granite 3 with mixtures of experts (IBM, 2024): a Granite whose router takes the softmax over the chosen experts.
    static let graniteMoE = Architecture(
        modelType: "granitemoe", className: "GraniteMoeForCausalLM", ggufNames: ["granitemoe"],
        llamaCpp: .llama, ggufKeys: { $0.ggufScales + $0.ggufExperts(size: false) },
        names: graniteExperts,
        permutesRotaryRows: true, defaults: graniteSizes
    ) { model, keys in
        try model.scaleAsGranite(keys)
        try model.addGraniteExperts(keys)
    }

    static let graniteSizes = Defaults(
        vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32)

    static var graniteExperts: WeightNames {
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
    mutating func addGraniteExperts(_ keys: ModelKeys) throws {
        var experts = try keys.experts(count: 8, chosen: 2, size: intermediateSize)
        experts.scoring = .softmaxOfChosen
        changeLayers { layer, _ in layer.feedForward.experts = experts }
    }
}
