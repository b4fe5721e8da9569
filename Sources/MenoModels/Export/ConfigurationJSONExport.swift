internal import Foundation

extension DecoderConfiguration {
    /// Makes a `config.json` for a model from a GGUF file.
    /// - Throws: ``ModelError`` if transformers would compute something else from it.
    package func configurationJSON() throws -> [String: Any] {
        guard architecture.isWrittenAsGGUF else {
            throw ModelError(
                .unsupported, "the config.json of a \(modelType) model cannot be made from a GGUF file.",
                advice: "Export from the Hugging Face folder of the model, or export as gguf.")
        }
        var model = self
        // llama.cpp uses OLMo 2's name for OLMo 3.
        if modelType == "olmo2", hasWindows { model.modelType = "olmo3" }
        let object = model.jsonSizes.merging(try model.jsonRotary()) { $1 }.merging(model.jsonOfItsOwn) { $1 }
        let data = try JSONSerialization.data(withJSONObject: object)
        let parsed = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        let read = try ModelKeys(ConfigurationJSON(parsed, path: "config.json")).decoder(model.architecture)
        let hasSameScale = zip(layers, read.layers).allSatisfy {
            abs($0.attention.scale / $1.attention.scale - 1) < 1e-6
        }
        if let difference = difference(from: read) ?? (hasSameScale ? nil : "the scale of scores") {
            throw ModelError(
                .unsupported, "the config.json of a \(modelType) cannot express \(difference) of this file.",
                advice: "Export from the Hugging Face folder of the model, or export as gguf.")
        }
        return object
    }

    private var hasWindows: Bool { layers.contains { $0.attention.slidingWindow != nil } }

    private var jsonSizes: [String: Any] {
        let (layer, defaults) = (layers[0], architecture.defaults)
        var object: [String: Any] = [
            "model_type": modelType, "architectures": [architecture.className], "vocab_size": vocabularySize,
            "hidden_size": hiddenSize, "intermediate_size": intermediateSize, "num_hidden_layers": layerCount,
            "num_attention_heads": headCount, "num_key_value_heads": keyValueHeadCount, "head_dim": headDimension,
            "max_position_embeddings": maximumPositions, "tie_word_embeddings": tiesEmbeddings,
            "mlp_bias": layer.feedForward.hasBias,
            // Where one of them alone is a matter of the architecture, it knows.
            "attention_bias": layer.attention.hasInputBias
                && (layer.attention.hasOutputBias
                    || ["qwen2", "glm", "glm4", "glm4_moe", "seed_oss"].contains(modelType))
                ,
        ]
        object[defaults.normEpsilonKey] = Double("\(Float(layer.norm.epsilon))")
        object[defaults.activationKey] =
            switch layer.feedForward.activation {
            case .silu: "silu"
            case .gelu: "gelu"
            case .geluTanh: "gelu_pytorch_tanh"
            case .reluSquared: "relu2"
            case .xielu: "xielu"
            }
        if let local = layers.first(where: { $0.attention.slidingWindow != nil })?.attention {
            object["sliding_window"] = local.slidingWindow
            if modelType == "gemma3_text" { object["rope_local_base_freq"] = local.rotary?.base }
        }
        if hasWindows, modelType != "phi3" {
            object["layer_types"] = layers.map {
                $0.attention.slidingWindow == nil ? "full_attention" : "sliding_attention"
            }
        }
        for (key, own) in defaults.keys {
            object[own] = object[key]
            object[key] = nil
        }
        return object
    }

    /// Keys that only this architecture's configuration has.
    private var jsonOfItsOwn: [String: Any] {
        let layer = layers[0]
        let attention = layer.attention
        if let experts = layers.compactMap(\.feedForward.experts).first { return jsonExperts(experts) }
        switch modelType {
        case "qwen2", "qwen3": return ["use_sliding_window": false]
        case "gemma2", "gemma3_text":
            // transformers does not accept a floating-point number here.
            let divisor = (1 / (attention.scale * attention.scale) * 1e6).rounded() / 1e6
            return [
                "query_pre_attn_scalar": divisor == divisor.rounded() ? Int(divisor) as Any : divisor,
                "attn_logit_softcapping": attention.softcap ?? NSNull(),
                "final_logit_softcapping": finalSoftcap ?? NSNull(),
            ]
        case "phi3", "exaone4": return hasWindows ? [:] : ["sliding_window": NSNull()]
        case "granite": return jsonGranite
        case "starcoder2":
            return ["use_bias": layer.feedForward.hasBias, "sliding_window": attention.slidingWindow ?? NSNull()]
        case "olmo": return ["clip_qkv": attention.clip ?? NSNull()]
        case "smollm3":
            return [
                "no_rope_layers": layers.map { $0.attention.rotary == nil ? 0 : 1 }, "use_sliding_window": false,
            ]
        case "cohere": return ["logit_scale": logitScale, "use_qk_norm": attention.queryKeyNorm != nil]
        case "cohere2": return ["logit_scale": logitScale]
        case "stablelm":
            return [
                "use_qkv_bias": attention.hasInputBias, "use_parallel_residual": layer.normPlacement == .parallel,
                "qk_layernorm": false,
            ]
        case "seed_oss": return ["attention_out_bias": attention.hasOutputBias]
        case "ernie4_5": return ["use_bias": attention.hasOutputBias]
        default: return [:]
        }
    }

    private var jsonGranite: [String: Any] {
        [
            "embedding_multiplier": embeddingScale, "logits_scaling": 1 / logitScale,
            "attention_multiplier": layers[0].attention.scale, "residual_multiplier": layers[0].residualScale,
        ]
    }

    /// The keys of a mixture of experts.
    private func jsonExperts(_ experts: ExpertsConfiguration) -> [String: Any] {
        let (chosen, size) = ("num_experts_per_tok", "moe_intermediate_size")
        var object: [String: Any] = [chosen: experts.chosen]
        switch modelType {
        case "qwen2_moe", "qwen3_moe", "olmoe":
            object["num_experts"] = experts.count
            object["norm_topk_prob"] = experts.normalizesWeights
            guard modelType != "olmoe" else { break }
            object[size] = experts.intermediateSize
            object["shared_expert_intermediate_size"] = experts.shared?.intermediateSize
            object["qkv_bias"] = layers[0].attention.hasInputBias
        case "glm4_moe":
            object["n_routed_experts"] = experts.count
            object[size] = experts.intermediateSize
            object["norm_topk_prob"] = experts.normalizesWeights
            object["routed_scaling_factor"] = experts.weightScale
            object["n_shared_experts"] = (experts.shared?.intermediateSize ?? 0) / experts.intermediateSize
            object["first_k_dense_replace"] = layers.firstIndex { $0.feedForward.experts != nil }
            object["use_qk_norm"] = layers[0].attention.queryKeyNorm != nil
        case "granitemoe":
            object["num_local_experts"] = experts.count
            object.merge(jsonGranite) { $1 }
        default:
            object["num_local_experts"] = experts.count
            if let gate = experts.clampedGate { object["swiglu_limit"] = gate.limit }
        }
        return object
    }

    // MARK: Positions

    private func jsonRotary() throws -> [String: Any] {
        guard let rotary = globalRotary else { return [:] }
        var object: [String: Any] = ["rope_theta": rotary.base]
        if let dimension = rotary.dimension {
            object["partial_rotary_factor"] = Double(dimension) / Double(headDimension)
        }
        guard let scaling = jsonScaling(rotary.scaling) else { return object }
        // Phi-3 expects this key in addition to the scaling.
        if modelType == "phi3" {
            object["original_max_position_embeddings"] = scaling["original_max_position_embeddings"]
        }
        guard modelType == "ministral3" else {
            object["rope_scaling"] = scaling
            return object
        }
        var parameters = scaling
        parameters["rope_theta"] = rotary.base
        if let growth = layers[0].attention.queryGrowth { parameters["llama_4_scaling_beta"] = growth.rate }
        object["rope_parameters"] = parameters
        return object
    }

    private func jsonScaling(_ scaling: RotaryConfiguration.Scaling) -> [String: Any]? {
        let original = "original_max_position_embeddings"
        switch scaling {
        case .none: return nil
        case .linear(let factor): return ["rope_type": "linear", "factor": factor]
        // GGUF files hold none.
        case .dynamic(let factor, _): return ["rope_type": "dynamic", "factor": factor]
        case .llama3(let factor, let low, let high, let positions):
            return [
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
                original: positions,
            ]
        // Llama 3.1's frequency factors, without the parameters that they were computed from.
        case .divided(let factors):
            let values = factors.map { Double($0) }
            return [
                "rope_type": "longrope", "short_factor": values, "long_factor": values, "factor": 1.0,
                "attention_factor": 1.0, original: maximumPositions,
            ]
        case .longRope(let longRope):
            return [
                "rope_type": "longrope", "short_factor": longRope.short, "long_factor": longRope.long,
                "attention_factor": longRope.attentionFactor, original: longRope.originalPositions,
                "factor": Double(maximumPositions) / Double(longRope.originalPositions),
            ]
        case .yarn(let yarn):
            let values: [String: Any] = [
                "rope_type": "yarn", "factor": yarn.factor, "attention_factor": yarn.attentionFactor,
                "beta_fast": yarn.betaFast, "beta_slow": yarn.betaSlow, original: yarn.originalPositions,
            ]
            return yarn.truncates ? values : values.merging(["truncate": false]) { $1 }
        }
    }
}
