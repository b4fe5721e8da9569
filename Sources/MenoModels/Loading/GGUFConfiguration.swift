internal import MenoFormats

extension DecoderConfiguration {
    /// The architectures that are read from GGUF files, by `general.architecture`.
    static let supportedGGUFArchitectures = ["gemma2", "gemma3", "llama"]

    /// Reads the metadata of a GGUF file.
    static func read(gguf file: GGUFFile, path: String) throws -> DecoderConfiguration {
        let keys = try GGUFKeys(file, path: path)
        let configuration =
            switch keys.architecture {
            case "llama": try LlamaConfiguration.read(keys)
            case "gemma2": try Gemma2Configuration.read(keys)
            case "gemma3": try Gemma3Configuration.read(keys)
            default:
                throw ModelError(
                    .unsupported, path: path, "the architecture \"\(keys.architecture)\" is not supported.",
                    advice: "Supported: \(supportedGGUFArchitectures.joined(separator: ", ")).")
            }
        return try configuration.validated(path: path)
    }
}

/// The metadata keys that every architecture's GGUF files share.
struct GGUFKeys {
    let architecture: String
    let path: String
    private let file: GGUFFile
    private var metadata: GGUFMetadata { file.metadata }

    init(_ file: GGUFFile, path: String) throws {
        self.file = file
        self.path = path
        architecture = try file.metadata.string("general.architecture")
    }

    func int(_ key: String) throws -> Int? { try metadata.int("\(architecture).\(key)", default: nil) }
    func double(_ key: String) throws -> Double? { try metadata.double("\(architecture).\(key)", default: nil) }
    func requiredInt(_ key: String) throws -> Int { try metadata.int("\(architecture).\(key)") }
    func requiredDouble(_ key: String) throws -> Double { try metadata.double("\(architecture).\(key)") }

    /// The shape of a tensor, which tells what the metadata leaves out.
    func shape(_ tensor: String) throws -> [Int] {
        guard let info = file.weight(named: tensor) else {
            throw ModelError(.malformed, path: path, "has no tensor \"\(tensor)\".")
        }
        return info.shape
    }

    func has(_ tensor: String) -> Bool { file.weight(named: tensor) != nil }

    func floats(_ tensor: String) throws -> [Float] {
        let count = try shape(tensor).reduce(1, *)
        return try [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            try file.read(tensor, as: .float32, into: UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    /// Sizes and everything else that does not differ between architectures.
    func base(modelType: String, layers: [DecoderConfiguration.Layer]) throws -> DecoderConfiguration {
        let hidden = try requiredInt("embedding_length")
        let heads = try requiredInt("attention.head_count")
        guard heads > 0, hidden > 0 else {
            throw ModelError(.malformed, path: path, "embedding_length is \(hidden), attention.head_count \(heads).")
        }
        let dimension = try int("attention.key_length") ?? hidden / heads
        if let values = try int("attention.value_length"), values != dimension {
            throw ModelError(
                .unsupported, path: path,
                "values of \(values) dimensions beside keys of \(dimension) are not supported.")
        }
        guard try shape("token_embd.weight").count == 2 else {
            throw ModelError(.malformed, path: path, "the tensor \"token_embd.weight\" is no matrix.")
        }
        return DecoderConfiguration(
            modelType: modelType, vocabularySize: try shape("token_embd.weight")[0], hiddenSize: hidden,
            intermediateSize: try requiredInt("feed_forward_length"), headCount: heads,
            keyValueHeadCount: try int("attention.head_count_kv") ?? heads, headDimension: dimension, layers: layers,
            normEpsilon: try requiredDouble("attention.layer_norm_rms_epsilon"),
            attentionScale: 1 / Double(max(dimension, 1)).squareRoot(), tiesEmbeddings: !has("output.weight"),
            attentionBias: has("blk.0.attn_q.bias"), maximumPositions: try requiredInt("context_length"))
    }

    func layerCount() throws -> Int {
        let count = try requiredInt("block_count")
        guard count > 0, count <= 1024 else {
            throw ModelError(.malformed, path: path, "block_count is \(count); expected between 1 and 1024.")
        }
        return count
    }

    /// How rotary frequencies are scaled.
    func rotaryScaling() throws -> RotaryConfiguration.Scaling {
        let type = try metadata.string("\(architecture).rope.scaling.type", default: nil) ?? "linear"
        // The second is its name in older files.
        let factor = try double("rope.scaling.factor") ?? double("rope.scale_linear") ?? 0
        switch type {
        case "none": return .none
        case "linear": return factor > 0 && factor != 1 ? .linear(factor: factor) : .none
        default:
            throw ModelError(
                .unsupported, path: path, "the rotary scaling \"\(type)\" is not supported.",
                advice: "Supported: none, linear.")
        }
    }

    /// What Gemma 2 and 3 share.
    /// - Parameter layersOf27B: how many the 27 B model has, which alone scales attention by hidden / heads instead of the
    ///   head's dimension; its file does not say so.
    func gemma(
        modelType: String, layers: [DecoderConfiguration.Layer], layersOf27B: Int
    ) throws -> DecoderConfiguration {
        var configuration = try base(modelType: modelType, layers: layers)
        configuration.normOffset = 1
        configuration.normPlacement = .beforeAndAfter
        configuration.activation = .geluTanh
        configuration.embeddingScale = Double(configuration.hiddenSize).squareRoot()
        configuration.attentionSoftcap = try double("attn_logit_softcapping")
        configuration.finalSoftcap = try double("final_logit_softcapping")
        if configuration.layerCount == layersOf27B {
            configuration.attentionScale =
                1 / (Double(configuration.hiddenSize) / Double(configuration.headCount)).squareRoot()
        }
        return configuration
    }
}

extension WeightMap {
    /// GGUF files as llama.cpp's converter writes them.
    static func gguf(_ configuration: DecoderConfiguration) -> WeightMap {
        let isGemma = configuration.normOffset == 1
        let both = configuration.normPlacement == .beforeAndAfter
        let inLayer: [String: String] = [
            "input_layernorm.weight": "attn_norm.weight",
            "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output",
            "self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
            "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
            "post_attention_layernorm.weight": both ? "post_attention_norm.weight" : "ffn_norm.weight",
            "pre_feedforward_layernorm.weight": "ffn_norm.weight",
            "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
        ]
        let global = [
            "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
            "lm_head.weight": "output.weight",
        ]
        return WeightMap { name in
            let isNorm = name.hasSuffix("norm.weight")
            if let stored = global[name] { return (stored, isGemma && isNorm ? .subtractOne : .none) }
            // model.layers.<index>.<rest>
            let parts = name.split(separator: ".", maxSplits: 3).map(String.init)
            guard parts.count == 4 else { return (name, .none) }
            let rest = parts[3]
            let stem = rest.replacing(/\.(weight|bias)$/, with: "")
            let stored = inLayer[rest] ?? inLayer[stem].map { $0 + rest.dropFirst(stem.count) } ?? rest
            var transformation = Transformation.none
            if isGemma, isNorm { transformation = .subtractOne }
            // llama.cpp's rotary kernel for Llama pairs neighbouring rows.
            if configuration.modelType == "llama" {
                if stem == "self_attn.q_proj" { transformation = .unpermuteHeads(configuration.headCount) }
                if stem == "self_attn.k_proj" { transformation = .unpermuteHeads(configuration.keyValueHeadCount) }
            }
            return ("blk.\(parts[2]).\(stored)", transformation)
        }
    }
}
