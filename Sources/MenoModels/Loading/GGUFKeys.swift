internal import MenoFormats

/// The metadata keys that every architecture's GGUF files share.
struct GGUFKeys {
    let architecture: String
    let path: String
    private let metadata: GGUFMetadata
    private let tensors: Tensors

    /// What the tensors of a file tell: their shapes, and the values of small ones.
    struct Tensors {
        var shape: (_ name: String) -> [Int]?
        var values: (_ name: String) throws -> [Float]
    }

    init(_ file: GGUFFile, path: String) throws {
        let tensors = Tensors {
            file.weight(named: $0)?.shape
        } values: { name in
            let count = file.weight(named: name)?.count ?? 0
            return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                try file.read(name, as: .float32, into: UnsafeMutableRawBufferPointer(buffer))
                initialized = count
            }
        }
        try self.init(file.metadata, tensors, path: path)
    }

    /// Reads what is not in a file yet.
    init(_ metadata: GGUFMetadata, _ tensors: Tensors, path: String) throws {
        (self.metadata, self.tensors, self.path) = (metadata, tensors, path)
        architecture = try metadata.string("general.architecture")
    }

    func int(_ key: String) throws -> Int? { try metadata.int("\(architecture).\(key)", default: nil) }
    func double(_ key: String) throws -> Double? { try metadata.double("\(architecture).\(key)", default: nil) }
    func bool(_ key: String) throws -> Bool? {
        if case .bool(let value)? = metadata["\(architecture).\(key)"] { value } else { nil }
    }
    func requiredInt(_ key: String) throws -> Int { try metadata.int("\(architecture).\(key)") }

    /// The shape of a tensor, which tells what the metadata leaves out.
    func shape(_ tensor: String) throws -> [Int] {
        guard let shape = tensors.shape(tensor) else {
            throw ModelError(.malformed, at: path, "has no tensor \"\(tensor)\".")
        }
        return shape
    }

    func has(_ tensor: String) -> Bool { tensors.shape(tensor) != nil }

    func floats(_ tensor: String) throws -> [Float] {
        _ = try shape(tensor)
        return try tensors.values(tensor)
    }

    /// Which layers have a sliding window, where the file lists them.
    func windowPattern() -> [Bool]? {
        guard case .array(let array) = metadata["\(architecture).attention.sliding_window_pattern"] else { return nil }
        return try? array.values().map { value in
            if case .bool(true) = value { true } else { false }
        }
    }

    /// `attention.sliding_window_pattern`, where it is a number: every so manieth layer attends to all.
    func windowPeriod() throws -> Int? { windowPattern() == nil ? try int("attention.sliding_window_pattern") : nil }

    // MARK: A whole model

    /// The model that a Llama with these sizes would be.
    func llama(_ architecture: Architecture) throws -> DecoderConfiguration {
        let defaults = architecture.defaults
        let hidden = try requiredInt("embedding_length")
        let heads = try requiredInt("attention.head_count")
        guard heads > 0, hidden > 0 else {
            throw ModelError(.malformed, at: path, "embedding_length is \(hidden), attention.head_count \(heads).")
        }
        let dimension = try int("attention.key_length") ?? hidden / heads
        if let values = try int("attention.value_length"), values != dimension {
            throw ModelError(
                .unsupported, at: path,
                "values of \(values) dimensions beside keys of \(dimension) are not supported.")
        }
        let table = try shape("token_embd.weight")
        guard table.count == 2 else {
            throw ModelError(.malformed, at: path, "the tensor \"token_embd.weight\" is not a matrix.")
        }
        let attention = AttentionConfiguration(
            headCount: heads, keyValueHeadCount: try int("attention.head_count_kv") ?? heads, headDimension: dimension,
            hasInputBias: has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"),
            hasOutputBias: has("blk.0.attn_output.bias"), rotary: try rotary(defaults, headDimension: dimension),
            scale: 1 / Double(max(dimension, 1)).squareRoot())
        let feedForward = FeedForwardConfiguration(
            intermediateSize: try requiredInt("feed_forward_length"), activation: defaults.activation,
            hasBias: has("blk.0.ffn_up.bias"))
        let norm = NormConfiguration(epsilon: try normEpsilon())
        let layer = LayerConfiguration(attention: attention, feedForward: feedForward, norm: norm)
        return DecoderConfiguration(
            modelType: architecture.modelType, vocabularySize: table[0], hiddenSize: hidden,
            layers: Array(repeating: layer, count: try layerCount()), finalNorm: norm,
            tiesEmbeddings: !has("output.weight"), maximumPositions: try requiredInt("context_length"))
    }

    private func normEpsilon() throws -> Double {
        let key = "attention.layer_norm_rms_epsilon"
        return try double(key) ?? double("attention.layer_norm_epsilon")
            ?? metadata.double("\(architecture).\(key)")
    }

    private func layerCount() throws -> Int {
        let count = try requiredInt("block_count")
        guard count > 0, count <= 1024 else {
            throw ModelError(.malformed, at: path, "block_count is \(count); expected between 1 and 1024.")
        }
        return count
    }

    // MARK: Rotary embeddings

    private func rotary(_ defaults: Architecture.Defaults, headDimension: Int) throws -> RotaryConfiguration {
        var rotary = RotaryConfiguration(
            base: try double("rope.freq_base") ?? defaults.rotaryBase, scaling: try rotaryFactors() ?? rotaryScaling())
        guard rotary.base > 0 else {
            throw ModelError(.malformed, at: path, "rope.freq_base is \(rotary.base); expected above 0.")
        }
        if let dimension = try int("rope.dimension_count"), dimension < headDimension { rotary.dimension = dimension }
        return rotary
    }

    /// Factors of each frequency, which are tensors.
    private func rotaryFactors() throws -> RotaryConfiguration.Scaling? {
        if has("rope_freqs.weight") {
            guard try rotaryScaling() == .none else {
                throw ModelError(
                    .unsupported, at: path, "factors of rotary frequencies beside a scaling are not supported.")
            }
            return .divided(by: try floats("rope_freqs.weight"))
        }
        guard has("rope_factors_short.weight") else { return nil }
        let original = try originalPositions()
        let factor = Double(try requiredInt("context_length")) / Double(original)
        return .longRope(
            .init(
                short: try floats("rope_factors_short.weight").map(Double.init),
                long: try floats("rope_factors_long.weight").map(Double.init), originalPositions: original,
                attentionFactor: try double("rope.scaling.attn_factor")
                    ?? RotaryConfiguration.LongRope.attentionFactor(factor, originalPositions: original)))
    }

    private func originalPositions() throws -> Int {
        let positions = try int("rope.scaling.original_context_length") ?? requiredInt("context_length")
        guard positions > 0 else {
            throw ModelError(
                .malformed, at: path, "rope.scaling.original_context_length is \(positions); expected above 0.")
        }
        return positions
    }

    /// How rotary frequencies are scaled.
    func rotaryScaling() throws -> RotaryConfiguration.Scaling {
        let type = try metadata.string("\(architecture).rope.scaling.type", default: nil) ?? "linear"
        // The second is its name in older files.
        let factor = try double("rope.scaling.factor") ?? double("rope.scale_linear") ?? 0
        switch type {
        case "none": return .none
        case "linear": return factor > 0 && factor != 1 ? .linear(factor: factor) : .none
        case "yarn" where factor > 0:
            var yarn = RotaryConfiguration.YaRN(
                factor: factor, originalPositions: try originalPositions(),
                attentionFactor: try double("rope.scaling.yarn_attn_factor") ?? double("rope.scaling.attn_factor") ?? 1)
            yarn.attentionFactor *= RotaryConfiguration.YaRN.attentionFactor(factor)
            if let whole = try double("rope.scaling.yarn_log_multiplier"), whole != 0 {
                yarn.attentionFactor /= RotaryConfiguration.YaRN.attentionFactor(factor, scale: whole)
            }
            yarn.betaFast = try double("rope.scaling.yarn_beta_fast") ?? yarn.betaFast
            yarn.betaSlow = try double("rope.scaling.yarn_beta_slow") ?? yarn.betaSlow
            return .yarn(yarn)
        default:
            throw ModelError(
                .unsupported, at: path, "the rotary scaling \"\(type)\" is not supported.",
                advice: "Supported: none, linear, yarn.")
        }
    }
}
