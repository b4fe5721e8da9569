internal import MenoFormats

extension Architecture {
    /// Qwen 1.5 and 2 with mixtures of experts (Qwen Team, 2024, arXiv:2407.10671), with a shared expert.
    static let qwen2MoE = Architecture(
        modelType: "qwen2_moe", className: "Qwen2MoeForCausalLM", ggufNames: ["qwen2moe"],
        llamaCpp: [.ownHead, .inputBiases],
        ggufKeys: { model in
            let shared = model.layers.lazy.compactMap { $0.feedForward.experts?.shared }.first
            return model.ggufExperts(size: true)
                + [("expert_shared_feed_forward_length", .count(shared?.intermediateSize ?? 0))]
        },
        names: qwen2Experts,
        defaults: Defaults(
            vocabularySize: 151_936, hiddenSize: 2048, intermediateSize: 5632, layerCount: 24, headCount: 16,
            keyValueHeadCount: 16, maximumPositions: 32_768)
    ) { model, keys in
        let hasBias = try keys.json?.bool("qkv_bias") ?? true
        model.changeLayers { layer, _ in
            layer.attention.hasInputBias = hasBias
            layer.attention.hasOutputBias = false
        }
        if try keys.bool("use_sliding_window") {
            let last = try keys.int("max_window_layers", gguf: nil, default: 28) ?? 28
            try keys.setWindows(&model, default: 4096) { $0 % 2 == 0 && $0 < last }
        }
        var experts = try keys.experts(count: 60, chosen: 4, size: 1408)
        experts.normalizesWeights = try keys.bool("norm_topk_prob")
        let shared = try keys.int(
            "shared_expert_intermediate_size", gguf: "expert_shared_feed_forward_length", default: 5632)
        experts.shared = .init(intermediateSize: shared ?? 0, isWeighed: true)
        try keys.setQwenExperts(&model, experts)
    }

    private static var qwen2Experts: WeightNames {
        var names = WeightNames.llama.withExperts.withSharedExperts("mlp.shared_expert").with([
            .sharedRouter: ("mlp.shared_expert_gate", "ffn_gate_inp_shexp")
        ])
        // In PEFT these names mean the layers of the shared expert, which is a module.
        names.experts.formerNames = [:]
        return names
    }
}
