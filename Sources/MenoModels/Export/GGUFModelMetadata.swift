internal import Foundation
package import MenoFormats

extension DecoderConfiguration {
    /// What a GGUF file says about the model itself, under the keys that llama.cpp reads.
    /// - Throws: ``ModelError`` where llama.cpp computes no such model.
    package func ggufMetadata() throws -> [(key: String, value: GGUFValue)] {
        let architecture = try ggufArchitecture()
        let number = { (value: Int) in GGUFValue.uint32(UInt32(value)) }
        let real = { (value: Double) in GGUFValue.float32(Float(value)) }
        var keys: [(String, GGUFValue)] = [
            ("context_length", number(maximumPositions)), ("embedding_length", number(hiddenSize)),
            ("block_count", number(layerCount)), ("feed_forward_length", number(intermediateSize)),
            ("attention.head_count", number(headCount)), ("attention.head_count_kv", number(keyValueHeadCount)),
            ("attention.key_length", number(headDimension)), ("attention.value_length", number(headDimension)),
            ("attention.layer_norm_rms_epsilon", real(normEpsilon)), ("rope.dimension_count", number(headDimension)),
            ("vocab_size", number(vocabularySize)),
        ]
        let global = (layers.first { $0.slidingWindow == nil } ?? layers[0]).rope
        keys.append(("rope.freq_base", real(global.base)))
        if case .linear(let factor) = global.scaling {
            keys += [("rope.scaling.type", .string("linear")), ("rope.scaling.factor", real(factor))]
        }
        if let window = layers.compactMap(\.slidingWindow).first {
            keys.append(("attention.sliding_window", number(window)))
            let period = try slidingPeriod()
            if architecture == "gemma3" {
                keys.append(("attention.sliding_window_pattern", number(period)))
                let local = layers.first { $0.slidingWindow != nil }!.rope
                keys.append(("rope.freq_base_swa", real(local.base)))
            }
        }
        if let cap = attentionSoftcap { keys.append(("attn_logit_softcapping", real(cap))) }
        if let cap = finalSoftcap { keys.append(("final_logit_softcapping", real(cap))) }
        return [("general.architecture", .string(architecture))] + keys.map { ("\(architecture).\($0.0)", $0.1) }
    }

    /// The factors that Llama 3.1's frequencies are divided by, which GGUF files hold as a tensor; `nil` for other models.
    package var ggufFrequencyFactors: [Float]? {
        let rope = layers[0].rope
        switch rope.scaling {
        case .divided(let factors): return factors
        case .llama3:
            let plain = RotaryConfiguration(base: rope.base).inverseFrequencies(dimension: headDimension)
            return zip(plain, rope.inverseFrequencies(dimension: headDimension)).map { Float($0 / $1) }
        case .none, .linear: return nil
        }
    }

    private func ggufArchitecture() throws -> String {
        let name: String
        switch modelType {
        case "llama": name = "llama"
        case "gemma2": name = "gemma2"
        case "gemma3_text": name = "gemma3"
        default: throw unsupportedByLlamaCpp("has no architecture \"\(modelType)\"")
        }
        let isGemma = modelType != "llama"
        guard activation == (isGemma ? .geluTanh : .silu) else {
            throw unsupportedByLlamaCpp("computes \(modelType) with another activation than \(activation)")
        }
        // llama.cpp knows the 27 B models, whose scale is another one, by their number of layers.
        let is27B = modelType == "gemma2" && layerCount == 46 || modelType == "gemma3_text" && layerCount == 62
        let perHead = is27B ? Double(hiddenSize) / Double(headCount) : Double(headDimension)
        guard abs(attentionScale * perHead.squareRoot() - 1) < 1e-6 else {
            throw unsupportedByLlamaCpp(
                "scales the attention of \(modelType) by 1/√\(perHead), this model by \(attentionScale)")
        }
        return name
    }

    /// One layer in how many attends to everything.
    private func slidingPeriod() throws -> Int {
        let isWindow = layers.map { $0.slidingWindow != nil }
        let candidates = modelType == "gemma2" ? [2] : Array(1...max(1, layerCount)) + [layerCount + 1]
        let found = candidates.first { period in
            isWindow.enumerated().allSatisfy { index, window in window == ((index + 1) % period != 0) }
        }
        guard let found else {
            throw unsupportedByLlamaCpp("has no such order of layers within a sliding window")
        }
        return found
    }

    private func unsupportedByLlamaCpp(_ what: String) -> ModelError {
        ModelError(
            .unsupported, "llama.cpp \(what): this model cannot become a GGUF file.",
            advice: "Export it as safetensors.")
    }
}
