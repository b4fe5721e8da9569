internal import Foundation
package import MenoFormats

extension DecoderConfiguration {
    /// The architectures whose GGUF files are written, by transformers' names.
    private static let written = ["llama", "gemma2", "gemma3_text", "qwen2", "qwen3"]

    /// What a GGUF file says about the model itself, under the keys that llama.cpp reads.
    /// - Throws: ``ModelError`` where llama.cpp computes no such model, or Meno writes none.
    package func ggufMetadata() throws -> [(key: String, value: GGUFValue)] {
        let name = try ggufArchitecture()
        let layer = layers[0]
        let attention = layer.attention
        let number = { (value: Int) in GGUFValue.uint32(UInt32(value)) }
        let real = { (value: Double) in GGUFValue.float32(Float(value)) }
        var keys: [(String, GGUFValue)] = [
            ("context_length", number(maximumPositions)), ("embedding_length", number(hiddenSize)),
            ("block_count", number(layerCount)), ("feed_forward_length", number(intermediateSize)),
            ("attention.head_count", number(headCount)), ("attention.head_count_kv", number(keyValueHeadCount)),
            ("attention.key_length", number(headDimension)), ("attention.value_length", number(headDimension)),
            ("attention.layer_norm_rms_epsilon", real(layer.norm.epsilon)), ("vocab_size", number(vocabularySize)),
        ]
        if let rotary = globalRotary {
            keys.append(("rope.dimension_count", number(rotary.dimension ?? headDimension)))
            keys.append(("rope.freq_base", real(rotary.base)))
            keys += try ggufScaling(rotary.scaling)
        }
        if let window = layers.compactMap(\.attention.slidingWindow).first {
            let period = try slidingPeriod()
            keys.append(("attention.sliding_window", number(window)))
            if name == "gemma3" {
                keys.append(("attention.sliding_window_pattern", number(period)))
                let local = layers.first { $0.attention.slidingWindow != nil }?.attention.rotary
                keys.append(("rope.freq_base_swa", real(local?.base ?? 10_000)))
            }
        }
        if let cap = attention.softcap { keys.append(("attn_logit_softcapping", real(cap))) }
        if let cap = finalSoftcap { keys.append(("final_logit_softcapping", real(cap))) }
        return [("general.architecture", .string(name))] + keys.map { ("\(name).\($0.0)", $0.1) }
    }

    /// The factors that Llama 3.1's frequencies are divided by, which GGUF files hold as a tensor; `nil` for other models.
    package var ggufFrequencyFactors: [Float]? {
        guard let rotary = globalRotary else { return nil }
        switch rotary.scaling {
        case .divided(let factors): return factors
        case .llama3:
            let dimension = rotary.dimension ?? headDimension
            let plain = RotaryConfiguration(base: rotary.base).inverseFrequencies(dimension: dimension)
            return zip(plain, rotary.inverseFrequencies(dimension: dimension)).map { Float($0 / $1) }
        default: return nil
        }
    }

    /// Of the layers that attend to everything, where there are such.
    var globalRotary: RotaryConfiguration? {
        (layers.first { $0.attention.slidingWindow == nil } ?? layers[0]).attention.rotary
    }

    private func ggufScaling(_ scaling: RotaryConfiguration.Scaling) throws -> [(String, GGUFValue)] {
        switch scaling {
        case .none, .divided, .llama3: return []
        case .linear(let factor):
            return [("rope.scaling.type", .string("linear")), ("rope.scaling.factor", .float32(Float(factor)))]
        case .yarn(let yarn) where yarn.attentionFactor == RotaryConfiguration.YaRN.attentionFactor(yarn.factor):
            return [
                ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", .float32(Float(yarn.factor))),
                ("rope.scaling.original_context_length", .uint32(UInt32(yarn.originalPositions))),
                ("rope.scaling.yarn_beta_fast", .float32(Float(yarn.betaFast))),
                ("rope.scaling.yarn_beta_slow", .float32(Float(yarn.betaSlow))),
            ]
        default: throw unsupportedByLlamaCpp("is given no such scaling of positions by Meno")
        }
    }

    private func ggufArchitecture() throws -> String {
        guard Self.written.contains(modelType), let name = architecture.ggufNames.first else {
            throw ModelError(
                .unsupported, "a GGUF file of the architecture \"\(modelType)\" is not written yet.",
                advice: "Written are \(Self.written.joined(separator: ", ")). Export as safetensors.")
        }
        let isGemma = name.hasPrefix("gemma")
        let isWithinWindow = layers.contains { $0.attention.slidingWindow != nil }
        guard layers.allSatisfy({ $0.feedForward.activation == (isGemma ? .geluTanh : .silu) }) else {
            throw unsupportedByLlamaCpp("computes \(modelType) with another activation")
        }
        guard isGemma || !isWithinWindow else { throw unsupportedByLlamaCpp("computes \(modelType) without windows") }
        // llama.cpp knows the 27 B models, whose scale is another one, by their number of layers.
        let is27B = name == "gemma2" && layerCount == 46 || name == "gemma3" && layerCount == 62
        let perHead = is27B ? Double(hiddenSize) / Double(headCount) : Double(headDimension)
        let scale = layers[0].attention.scale
        guard abs(scale * perHead.squareRoot() - 1) < 1e-6 else {
            throw unsupportedByLlamaCpp("scales the attention of \(modelType) by 1/√\(perHead), this model by \(scale)")
        }
        return name
    }

    /// One layer in how many attends to everything.
    private func slidingPeriod() throws -> Int {
        let isWindow = layers.map { $0.attention.slidingWindow != nil }
        let candidates = modelType == "gemma2" ? [2] : Array(1...max(1, layerCount)) + [layerCount + 1]
        let found = candidates.first { period in
            isWindow.enumerated().allSatisfy { index, window in window == ((index + 1) % period != 0) }
        }
        guard let found else { throw unsupportedByLlamaCpp("has no such order of layers within a sliding window") }
        return found
    }

    private func unsupportedByLlamaCpp(_ what: String) -> ModelError {
        ModelError(
            .unsupported, "llama.cpp \(what): this model cannot become a GGUF file.",
            advice: "Export it as safetensors.")
    }
}
