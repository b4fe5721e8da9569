internal import Foundation

extension DecoderConfiguration {
    /// The `config.json` of a model that came without one, from a GGUF file.
    package func configurationJSON() throws -> [String: Any] {
        let (layer, defaults) = (layers[0], architecture.defaults)
        var object: [String: Any] = [
            "model_type": modelType, "architectures": [architecture.className], "vocab_size": vocabularySize,
            "hidden_size": hiddenSize, "intermediate_size": intermediateSize, "num_hidden_layers": layerCount,
            "num_attention_heads": headCount, "num_key_value_heads": keyValueHeadCount, "head_dim": headDimension,
            "rms_norm_eps": layer.norm.epsilon, "max_position_embeddings": maximumPositions,
            "tie_word_embeddings": tiesEmbeddings,
        ]
        object[defaults.activationKey] =
            switch layer.feedForward.activation {
            case .silu: "silu"
            case .gelu: "gelu"
            case .geluTanh: "gelu_pytorch_tanh"
            case .reluSquared: "relu2"
            case .xielu: "xielu"
            }
        if let rotary = globalRotary {
            object["rope_theta"] = rotary.base
            if let scaling = try ropeScaling(rotary.scaling) { object["rope_scaling"] = scaling }
        }
        switch modelType {
        case "llama": object["attention_bias"] = layer.attention.hasInputBias
        case "qwen2", "qwen3": object["use_sliding_window"] = false
        case "gemma2", "gemma3_text":
            object["query_pre_attn_scalar"] =
                (1 / (layer.attention.scale * layer.attention.scale) * 1e6).rounded() / 1e6
            object["attn_logit_softcapping"] = layer.attention.softcap ?? NSNull()
            object["final_logit_softcapping"] = finalSoftcap ?? NSNull()
            object["layer_types"] = layers.map {
                $0.attention.slidingWindow == nil ? "full_attention" : "sliding_attention"
            }
            if let local = layers.first(where: { $0.attention.slidingWindow != nil })?.attention {
                object["sliding_window"] = local.slidingWindow
                if modelType == "gemma3_text" { object["rope_local_base_freq"] = local.rotary?.base }
            }
        default:
            throw ModelError(
                .unsupported, "a config.json of the architecture \"\(modelType)\" is not written yet.",
                advice: "Export from the Hugging Face folder of the model, or export as gguf.")
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
        default:
            throw ModelError(
                .unsupported,
                "how this file scales its rotary frequencies has no place in a config.json that Meno writes.",
                advice: "Export from the Hugging Face folder of the model, or export as gguf.")
        }
    }
}
