extension Architecture {
    /// gpt-oss (OpenAI, 2025, arXiv:2508.10925): attention sinks, and experts with biases and a clamped gate; every other layer
    /// has a sliding window.
    static let gptOSS = Architecture(
        modelType: "gpt_oss", className: "GptOssForCausalLM", ggufNames: ["gpt-oss"],
        llamaCpp: [.wideHeads, .ownHead, .inputBiases, .outputBiases],
        ggufKeys: { try $0.ggufWindows(.fixed) + $0.ggufExperts(size: true) },
        names: gptOSSNames,
        defaults: Defaults(
            vocabularySize: 201_088, hiddenSize: 2880, intermediateSize: 2880, layerCount: 36, headCount: 64,
            keyValueHeadCount: 8, headDimension: 64, maximumPositions: 131_072, normEpsilon: 1e-5, rotaryBase: 150_000,
            attentionBias: true)
    ) { model, keys in
        try keys.setWindows(&model, default: 128) { $0 % 2 == 0 }
        var experts = try keys.experts(count: 128, chosen: 4, size: model.intermediateSize)
        experts.scoring = .softmaxOfChosen
        experts.hasBias = true
        experts.clampedGate = .init(
            slope: try keys.double("swiglu_alpha", gguf: nil, default: 1.702) ?? 1.702,
            limit: try keys.double("swiglu_limit", gguf: nil, default: 7) ?? 7)
        model.changeLayers { layer, _ in
            layer.attention.hasSinks = true
            layer.feedForward.experts = experts
        }
        guard keys.json.map({ !$0.has("rope_parameters") && !$0.has("rope_scaling") }) ?? true else { return }
        var yarn = RotaryConfiguration.YaRN(
            factor: 32, originalPositions: 4096, attentionFactor: RotaryConfiguration.YaRN.attentionFactor(32))
        if keys.gguf != nil, case .yarn(let stored)? = model.layers[0].attention.rotary?.scaling { yarn = stored }
        yarn.truncates = false
        model.changeLayers { layer, _ in layer.attention.rotary?.scaling = .yarn(yarn) }
    }

    private static var gptOSSNames: WeightNames {
        var names = WeightNames.llama.withExperts.without(.gate, .up, .down).with([
            .router: ("mlp.router", "ffn_gate_inp"),
            .feedForwardNorm: ("post_attention_layernorm", "post_attention_norm"),
        ])
        names.experts = ExpertNames(
            router: "mlp.router",
            stacks: [
                .init(
                    gateUp: "mlp.experts.gate_up_proj", down: "mlp.experts.down_proj", takesTurns: true,
                    isTransposed: true)
            ], writesStacks: true)
        return names
    }
}
