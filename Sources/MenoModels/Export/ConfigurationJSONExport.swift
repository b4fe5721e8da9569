internal import Foundation

extension DecoderConfiguration {
    /// The `config.json` of a model that came without one, from a GGUF file.
    package func configurationJSON() throws -> [String: Any] {
        let global = (layers.first { $0.slidingWindow == nil } ?? layers[0]).rope
        var object: [String: Any] = [
            "model_type": modelType, "vocab_size": vocabularySize, "hidden_size": hiddenSize,
            "intermediate_size": intermediateSize, "num_hidden_layers": layerCount, "num_attention_heads": headCount,
            "num_key_value_heads": keyValueHeadCount, "head_dim": headDimension, "rms_norm_eps": normEpsilon,
            "max_position_embeddings": maximumPositions, "attention_bias": attentionBias,
            "tie_word_embeddings": tiesEmbeddings, "rope_theta": global.base,
        ]
        let activation =
            switch activation {
            case .silu: "silu"
            case .gelu: "gelu"
            case .geluTanh: "gelu_pytorch_tanh"
            }
        switch modelType {
        case "llama":
            object["architectures"] = ["LlamaForCausalLM"]
            object["hidden_act"] = activation
            if let scaling = try ropeScaling(global.scaling) { object["rope_scaling"] = scaling }
        case "gemma2", "gemma3_text":
            object["architectures"] = [modelType == "gemma2" ? "Gemma2ForCausalLM" : "Gemma3ForCausalLM"]
            object["hidden_activation"] = activation
            object["query_pre_attn_scalar"] = 1 / (attentionScale * attentionScale)
            object["attn_logit_softcapping"] = attentionSoftcap ?? NSNull()
            object["final_logit_softcapping"] = finalSoftcap ?? NSNull()
            object["layer_types"] = layers.map { $0.slidingWindow == nil ? "full_attention" : "sliding_attention" }
            if let window = layers.compactMap(\.slidingWindow).first { object["sliding_window"] = window }
            if modelType == "gemma3_text" {
                object["rope_local_base_freq"] = layers.first { $0.slidingWindow != nil }?.rope.base ?? 10_000
                if let scaling = try ropeScaling(global.scaling) { object["rope_scaling"] = scaling }
            }
        default:
            throw ModelError(.unsupported, "a config.json of the architecture \"\(modelType)\" is not written.")
        }
        return object
    }

    private func ropeScaling(_ scaling: RotaryConfiguration.Scaling) throws -> [String: Any]? {
        switch scaling {
        case .none: return nil
        case .linear(let factor): return ["rope_type": "linear", "factor": factor]
        case .llama3(let factor, let low, let high, let original):
            return [
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low, "high_freq_factor": high,
                "original_max_position_embeddings": original,
            ]
        case .divided:
            throw ModelError(
                .unsupported, "the factors of this file's rotary frequencies have no place in a config.json.",
                advice: "Export from the Hugging Face folder of the model, or export as gguf.")
        }
    }
}
