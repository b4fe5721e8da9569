internal import Foundation
package import MenoFormats

/// A model's GGUF metadata, under the keys that llama.cpp reads, and the tensors that are not weights.
package struct GGUFModelMetadata {
    /// In the order of the file.
    package let pairs: [(key: String, value: GGUFValue)]
    /// Factors of rotary frequencies, as one-dimensional tensors.
    package let tensors: [(name: String, values: [Float])]
    /// Differences in what llama.cpp computes, which appear only with long texts.
    package let notes: [String]

    /// - Throws: ``ModelError`` if llama.cpp cannot compute this model.
    package init(of model: StoredModel) throws {
        try self.init(
            model.configuration, shapes: Dictionary(uniqueKeysWithValues: model.parameters.map { ($0.name, $0.shape) }))
    }

    /// - Parameter shapes: of the model's weights, by transformers' names.
    init(_ model: DecoderConfiguration, shapes: [String: [Int]]) throws {
        let twin = model.inGGUF
        guard model.architecture.isWrittenAsGGUF else {
            throw ModelError(
                .unsupported, "GGUF files of \(model.modelType) models are not supported.",
                advice: "Export it as safetensors, and convert that with llama.cpp's converter.")
        }
        guard let name = (twin.architecture.ggufNames + twin.architecture.ggufNamesWithExperts).first else {
            throw ModelError.notInGGUF("does not support \"\(model.modelType)\"")
        }
        try model.requireOneScale()
        if let other = model.llamaCppOptions.subtracting(twin.architecture.llamaCpp).inWords.first {
            throw ModelError.notInGGUF("takes no \(model.modelType) with \(other)")
        }
        let keys = try model.ggufSizes() + model.ggufRotary(name) + model.ggufCaps() + twin.architecture.ggufKeys(model)
        pairs = [("general.architecture", .string(name))] + keys.map { ("\(name).\($0.key)", $0.value) }
        tensors = model.ggufFactors
        notes = try Self.compared(model, pairs, tensors, shapes)
    }

    /// Reads the metadata back and compares it with the model.
    /// - Returns: differences that appear only with long texts.
    private static func compared(
        _ model: DecoderConfiguration, _ pairs: [(key: String, value: GGUFValue)],
        _ tensors: [(name: String, values: [Float])], _ shapes: [String: [Int]]
    ) throws -> [String] {
        let form = GGUFForm(model)
        var stored = Dictionary(shapes.map { (form.name(of: $0.key), $0.value) }, uniquingKeysWith: { $1 })
        for (name, values) in tensors { stored[name] = [values.count] }
        let keys = try GGUFKeys(
            GGUFMetadata(pairs, path: ""),
            .init(
                shape: { stored[$0] }, values: { name in tensors.first { $0.name == name }?.values ?? [] }), path: "")
        let architecture = try Architecture.named(
            gguf: keys.architecture, hasExperts: keys.int("expert_count") ?? 0 > 0, path: nil)
        let found = try ModelKeys(keys).decoder(architecture)
        var (expected, notes) = (model, [String]())
        // Where only the layers with a window encode positions, the windows do more than limit attention.
        let windows = model.layers.compactMap(\.attention.slidingWindow)
        let ignoresWindows =
            architecture.ggufIgnoresWindows || found.layers.allSatisfy { $0.attention.slidingWindow == nil }
        if ignoresWindows, let window = windows.min() {
            if !architecture.ggufIgnoresWindows {
                expected.changeLayers { layer, _ in layer.attention.slidingWindow = nil }
            }
            if window < model.maximumPositions { notes.append("within a window of \(window) tokens") }
        }
        for index in expected.layers.indices {
            guard case .dynamic(_, let positions)? = expected.layers[index].attention.rotary?.scaling else { continue }
            expected.layers[index].attention.rotary?.scaling = .none
            if index == 0 { notes.append("with positions rescaled beyond \(positions) tokens") }
        }
        if let difference = expected.difference(from: found) {
            throw ModelError.notInGGUF("has no place in a \(architecture.modelType) for \(difference)")
        }
        return notes
    }
}

extension ModelError {
    /// - Parameter what: how llama.cpp differs from the model, or what it does not support.
    static func notInGGUF(_ what: String) -> ModelError {
        ModelError(
            .unsupported, "llama.cpp \(what): this model cannot become a GGUF file.",
            advice: "Export it as safetensors.")
    }
}

extension GGUFValue {
    static func real(_ value: Double) -> GGUFValue { .float32(Float(value)) }
    static func count(_ value: Int) -> GGUFValue { .uint32(UInt32(value)) }
}

extension DecoderConfiguration {
    /// The model with the name that llama.cpp has for it.
    var inGGUF: DecoderConfiguration {
        var model = self
        model.modelType = architecture.ggufTwin ?? modelType
        return model
    }

    /// The ratio of the model's scale of scores to llama.cpp's.
    var ggufScaleRatio: Double {
        let attention = layers[0].attention
        let theirs: Double =
            switch modelType {
            case "granite", "granitemoe": attention.scale
            case "gemma2": ggufGemmaScale(layersOf27B: 46)
            case "gemma3_text": ggufGemmaScale(layersOf27B: 62)
            default: 1 / Double(attention.headDimension).squareRoot()
            }
        let ratio = attention.scale / theirs
        return abs(ratio - 1) < 1e-6 ? 1 : ratio
    }

    /// llama.cpp multiplies the scores of all layers by the same number. Only a separate matrix of queries can make up for
    /// another scale.
    fileprivate func requireOneScale() throws {
        let scale = layers[0].attention.scale
        guard layers.allSatisfy({ $0.attention.scale == scale }) else {
            throw ModelError.notInGGUF("multiplies the scores of all layers by the same number")
        }
        if ggufScaleRatio != 1, layers[0].attention.isFused {
            throw ModelError.notInGGUF("multiplies the scores of a \(modelType) by another number")
        }
    }

    /// The rotation of the layers with full attention, where there are any.
    var globalRotary: RotaryConfiguration? {
        (layers.first { $0.attention.slidingWindow == nil && $0.attention.rotary != nil }
            ?? layers.first { $0.attention.rotary != nil })?.attention.rotary
    }

    // MARK: Keys

    fileprivate func ggufSizes() -> [(key: String, value: GGUFValue)] {
        let norm = layers[0].norm
        let epsilon = if case .rootMeanSquare = norm.kind { "layer_norm_rms_epsilon" } else { "layer_norm_epsilon" }
        return [
            ("context_length", .count(ggufContext)), ("embedding_length", .count(hiddenSize)),
            ("block_count", .count(layerCount)), ("feed_forward_length", .count(intermediateSize)),
            ("attention.head_count", .count(headCount)), ("attention.head_count_kv", .count(keyValueHeadCount)),
            ("attention.key_length", .count(headDimension)), ("attention.value_length", .count(headDimension)),
            ("attention.\(epsilon)", .real(norm.epsilon)), ("vocab_size", .count(vocabularySize)),
        ]
    }

    /// llama.cpp does not rescale positions by the length of a text.
    private var ggufContext: Int {
        guard case .dynamic(_, let positions)? = globalRotary?.scaling else { return maximumPositions }
        return positions
    }

    /// The number of experts and of those chosen for a token, in layers that have experts.
    /// - Parameter size: whether the file gives the size of an expert; otherwise it is that of a feed-forward block.
    func ggufExperts(size: Bool) -> [(key: String, value: GGUFValue)] {
        guard let experts = layers.compactMap(\.feedForward.experts).first else { return [] }
        let counts = [
            (key: "expert_count", value: GGUFValue.count(experts.count)),
            (key: "expert_used_count", value: GGUFValue.count(experts.chosen)),
        ]
        return counts + (size ? [("expert_feed_forward_length", .count(experts.intermediateSize))] : [])
    }

    fileprivate func ggufCaps() -> [(key: String, value: GGUFValue)] {
        let attention = attentionSoftcap.map { [("attn_logit_softcapping", GGUFValue.real($0))] } ?? []
        return attention + (finalSoftcap.map { [("final_logit_softcapping", GGUFValue.real($0))] } ?? [])
    }

    fileprivate func ggufRotary(_ architecture: String) throws -> [(key: String, value: GGUFValue)] {
        guard let rotary = globalRotary else { return [] }
        let keys: [(key: String, value: GGUFValue)] = [
            ("rope.dimension_count", .count(rotary.dimension ?? headDimension)),
            ("rope.freq_base", .real(rotary.base)),
        ]
        switch rotary.scaling {
        case .none, .divided, .llama3, .dynamic: return keys
        case .linear(let factor):
            return keys + [("rope.scaling.type", .string("linear")), ("rope.scaling.factor", .real(factor))]
        case .yarn(let yarn): return keys + ggufYaRN(yarn, architecture)
        case .longRope(let longRope):
            return keys + [
                ("rope.scaling.original_context_length", .count(longRope.originalPositions)),
                ("rope.scaling.attn_factor", .real(longRope.attentionFactor)),
            ]
        }
    }

    private func ggufYaRN(
        _ yarn: RotaryConfiguration.YaRN, _ architecture: String
    ) -> [(key: String, value: GGUFValue)] {
        var keys: [(key: String, value: GGUFValue)] = [
            ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", .real(yarn.factor)),
            ("rope.scaling.original_context_length", .count(yarn.originalPositions)),
            ("rope.scaling.yarn_beta_fast", .real(yarn.betaFast)),
            ("rope.scaling.yarn_beta_slow", .real(yarn.betaSlow)),
        ]
        // llama.cpp multiplies by the paper's factor, and divides by it again where the multiplier is 1.
        let relative = yarn.attentionFactor / RotaryConfiguration.YaRN.attentionFactor(yarn.factor)
        if architecture == "mistral3", yarn.attentionFactor == 1 {
            keys.append(("rope.scaling.yarn_log_multiplier", .real(1)))
        } else if abs(relative - 1) > 1e-9 {
            keys.append(("rope.scaling.attn_factor", .real(relative)))
        }
        return keys
    }

    /// How llama.cpp learns which layers have a window.
    enum GGUFWindowPattern {
        /// It is built into llama.cpp.
        case fixed
        /// A number n: one in n layers has full attention.
        case period
        /// A list with a flag for each layer.
        case flags
    }

    /// The sliding window, where there is one.
    func ggufWindows(_ pattern: GGUFWindowPattern) throws -> [(key: String, value: GGUFValue)] {
        guard let window = layers.compactMap(\.attention.slidingWindow).first else { return [] }
        let isWindow = layers.map { $0.attention.slidingWindow != nil }
        let key = "attention.sliding_window_pattern"
        let size = [(key: "attention.sliding_window", value: GGUFValue.count(window))]
        switch pattern {
        case .fixed: return size
        case .flags: return size + [(key, .array(.bool, isWindow.map { .bool($0) }))]
        case .period:
            let found = (1...layerCount + 1).first { period in
                isWindow.enumerated().allSatisfy { index, window in window == ((index + 1) % period != 0) }
            }
            guard let found else {
                throw ModelError.notInGGUF("does not support this order of layers with a sliding window")
            }
            return size + [(key, .count(found))]
        }
    }

    // MARK: Tensors

    /// The divisors of the frequencies, which GGUF files hold as tensors.
    fileprivate var ggufFactors: [(name: String, values: [Float])] {
        guard let rotary = globalRotary else { return [] }
        switch rotary.scaling {
        case .divided(let factors): return [("rope_freqs.weight", factors)]
        case .llama3:
            let dimension = rotary.dimension ?? headDimension
            let plain = RotaryConfiguration(base: rotary.base).inverseFrequencies(dimension: dimension)
            let scaled = rotary.inverseFrequencies(dimension: dimension)
            return [("rope_freqs.weight", zip(plain, scaled).map { Float($0 / $1) })]
        case .longRope(let longRope):
            return [
                ("rope_factors_long.weight", longRope.long.map { Float($0) }),
                ("rope_factors_short.weight", longRope.short.map { Float($0) }),
            ]
        default: return []
        }
    }
}
