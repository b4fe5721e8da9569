extension Architecture {
    /// Phi-3.5 with mixtures of experts (Abdin et al., 2024, arXiv:2404.14219): LayerNorm, and a router that compares each of its
    /// choices with what is near it.
    ///
    /// transformers samples the experts during training. Here the best ones are always chosen, as in generation.
    static let phiMoE = Architecture(
        modelType: "phimoe", className: "PhimoeForCausalLM", ggufNames: ["phimoe"], isWrittenAsGGUF: false,
        names: phiExperts,
        defaults: Defaults(
            vocabularySize: 32_064, hiddenSize: 4096, intermediateSize: 6400, layerCount: 32, headCount: 32,
            keyValueHeadCount: 8, maximumPositions: 131_072, normEpsilon: 1e-5, rotaryBase: 1_000_000)
    ) { model, keys in
        let window = try keys.int("sliding_window", gguf: "attention.sliding_window")
        var experts = try keys.experts(count: 16, chosen: 2, size: model.intermediateSize)
        experts.scoring = .closest(
            tolerance: 2 * (try keys.double("router_jitter_noise", gguf: nil, default: 0.01) ?? 0.01))
        model.hasHeadBias = try keys.json?.bool("lm_head_bias") ?? keys.gguf?.has("output.bias") ?? false
        model.finalNorm.kind = .layer(hasBias: true)
        model.changeLayers { layer, _ in
            layer.norm.kind = .layer(hasBias: true)
            layer.attention.slidingWindow = window.flatMap { $0 > 0 ? $0 : nil }
            layer.feedForward.experts = experts
        }
        try keys.scaleAnglesAsPhiMoE(&model)
    }

    private static var phiExperts: WeightNames {
        var names = WeightNames.llama.withMixtralExperts
        names.experts.router = "mlp.router"
        names.experts.formerNames = [:]
        return names
    }
}

extension ModelKeys {
    /// Where frequencies are scaled, the file's factors replace the computed attention factor.
    fileprivate func scaleAnglesAsPhiMoE(_ model: inout DecoderConfiguration) throws {
        guard let parameters = try json?.section("rope_scaling") ?? json?.section("rope_parameters"),
            case .longRope(var longRope)? = model.layers[0].attention.rotary?.scaling
        else { return }
        let (short, long) = (try parameters.double("short_mscale"), try parameters.double("long_mscale"))
        guard let short, long == nil || long == short else {
            throw ModelError(
                .unsupported, at: path, "different values of \"short_mscale\" and \"long_mscale\" are not supported.")
        }
        longRope.attentionFactor = short
        model.changeLayers { layer, _ in layer.attention.rotary?.scaling = .longRope(longRope) }
    }
}
