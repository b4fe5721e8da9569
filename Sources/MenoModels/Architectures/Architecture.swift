internal import MenoErrors
internal import MenoFormats

/// A kind of model: its names, how its files become a ``DecoderConfiguration``, and what its weights are called.
///
/// To add one, write it in a new file next to this one and list it in ``all``. ``LayerConfiguration`` lists everything that
/// layers can compute beyond a plain Llama.
package struct Architecture: Sendable {
    /// transformers' `model_type` of the text model.
    package let modelType: String
    /// transformers' class of the model with its language-model head.
    package let className: String
    /// `model_type` of multimodal models that have the text model under `text_config`.
    package var multimodalTypes: [String] = []
    /// `general.architecture` in GGUF files.
    package var ggufNames: [String] = []
    /// `general.architecture` in files with experts, where a dense architecture uses the same name.
    var ggufNamesWithExperts: [String] = []
    /// Whether models can be exported to GGUF, and from GGUF to a `config.json`. If not, both kinds of files can only be read.
    var isWrittenAsGGUF = true
    /// transformers' `model_type` of the architecture under which llama.cpp loads this one, if it is a different one.
    var ggufTwin: String?
    /// Whether llama.cpp ignores the sliding window that the file specifies.
    var ggufIgnoresWindows = false
    /// Which optional parts llama.cpp accepts in such models.
    var llamaCpp: LlamaCppOptions = .anyHead
    /// The GGUF metadata that a Llama does not have, the inverse of ``adjust``. Keys come without the architecture's prefix.
    var ggufKeys: @Sendable (DecoderConfiguration) throws -> [(key: String, value: GGUFValue)] = { _ in [] }
    /// Names of the weights in safetensors and in GGUF files.
    package var names = WeightNames.llama
    /// Whether llama.cpp's converter reorders the rows of queries and keys: its rotary kernel for this kind pairs neighbors,
    /// transformers' pairs halves.
    package var permutesRotaryRows = false
    /// transformers' defaults for keys that `config.json` leaves out.
    var defaults = Defaults()
    /// Turns the configuration of a Llama with these sizes into that of this architecture.
    var adjust: @Sendable (inout DecoderConfiguration, ModelKeys) throws -> Void = { _, _ in }

    /// Sizes without a default are required.
    struct Defaults: Sendable {
        var vocabularySize: Int?
        var hiddenSize: Int?
        var intermediateSize: Int?
        var layerCount: Int?
        var headCount: Int?
        /// Default: the number of attention heads.
        var keyValueHeadCount: Int?
        /// Default: hidden / heads.
        var headDimension: Int?
        /// The intermediate size as a multiple of the hidden size, used where neither the configuration nor ``intermediateSize``
        /// gives one.
        var intermediateFactor: Int?
        var maximumPositions = 2048
        var normEpsilon = 1e-6
        var normEpsilonKey = "rms_norm_eps"
        var rotaryBase = 10_000.0
        /// The share of a head that is rotated.
        var rotaryShare = 1.0
        var activation = FeedForwardConfiguration.Activation.silu
        var activationKey = "hidden_act"
        var tiesEmbeddings = false
        /// Whether queries, keys, values and the output have biases.
        var attentionBias = false
        /// The coefficient of the router loss, where the configuration asks for that loss; `nil`: transformers computes none.
        var routerLossCoefficient: Double? = 0.001
        /// This architecture's names for the keys of a Llama's configuration.
        var keys: [String: String] = [:]
        /// The context length before rotary scaling; default: `maximumPositions`.
        var originalPositions: Int?
    }
}

// MARK: The registry

extension Architecture {
    /// All supported architectures.
    package static let all: [Architecture] = [
        .llama, .gemma, .gemma2, .gemma3, .qwen2, .qwen3, .mistral, .ministral, .ministral3, .phi3, .olmo2, .olmo3,
        .granite, .smollm3, .glm, .glm4, .cohere, .cohere2, .stableLM, .exaone4, .seedOSS, .arcee, .ernie4_5, .hunyuan,
        .internLM3, .helium, .mixtral, .qwen2MoE, .qwen3MoE, .olmoe, .graniteMoE, .graniteMoEHybrid, .phiMoE, .glm4MoE,
        .gptOSS,
        .gptNeoX, .gpt2, .phi, .starCoder2, .nemotron, .falcon, .olmo, .apertus, .mpt,
    ]

    /// All supported `model_type`s.
    static var modelTypes: [String] { all.flatMap { [$0.modelType] + $0.multimodalTypes } }

    /// Whether some architecture has linear layers with exactly these names, as PEFT writes them for `all-linear`.
    package static func haveLinearNames(_ names: Set<String>) -> Bool {
        all.contains { Set($0.names.linearNames) == names }
    }

    static func named(modelType: String, path: String?) throws -> Architecture {
        if let found = all.first(where: { ([$0.modelType] + $0.multimodalTypes).contains(modelType) }) { return found }
        throw unsupported(modelType, known: modelTypes, path: path)
    }

    static func named(gguf name: String, hasExperts: Bool = false, path: String?) throws -> Architecture {
        if hasExperts, let found = all.first(where: { $0.ggufNamesWithExperts.contains(name) }) { return found }
        if let found = all.first(where: { $0.ggufNames.contains(name) }) { return found }
        throw unsupported(name, known: all.flatMap(\.ggufNames), path: path)
    }

    private static func unsupported(_ name: String, known: [String], path: String?) -> ModelError {
        let nearest = nearestName(to: name, among: known).map { "The nearest supported one is \($0). " } ?? ""
        return ModelError(
            .unsupported, at: path, "the architecture \"\(name)\" is not supported.",
            advice: nearest + "Supported: \(known.joined(separator: ", ")).")
    }
}

extension DecoderConfiguration {
    /// The registry's entry for this model.
    package var architecture: Architecture {
        guard let architecture = Architecture.all.first(where: { $0.modelType == modelType }) else {
            preconditionFailure("a configuration of no architecture: \(modelType)")
        }
        return architecture
    }
}
