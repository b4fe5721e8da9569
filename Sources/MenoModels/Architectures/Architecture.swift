internal import MenoErrors
internal import MenoFormats

/// A kind of model: what it is called, how its files become a ``DecoderConfiguration``, and what its weights are called.
///
/// A new one is an entry of ``all``, in a file of its own beside this one. What a Llama has not, its layers may have:
/// ``LayerConfiguration`` lists what is computed.
package struct Architecture: Sendable {
    /// transformers' `model_type` of the text model.
    package let modelType: String
    /// transformers' class with a language-model head.
    package let className: String
    /// `model_type` of multimodal models that have the text model under `text_config`.
    package var multimodalTypes: [String] = []
    /// `general.architecture` in GGUF files.
    package var ggufNames: [String] = []
    /// The same in files with experts, where it is the name of an architecture without them too.
    var ggufNamesWithExperts: [String] = []
    /// Whether a configuration is written into a GGUF file, and one of a GGUF file into a `config.json`; else they are only read.
    var isWrittenAsGGUF = true
    /// transformers' `model_type` of the architecture that llama.cpp takes for this one, where that is another.
    var ggufTwin: String?
    /// Whether llama.cpp attends to everything although the file names a window.
    var ggufIgnoresWindows = false
    /// What llama.cpp takes of such models.
    var llamaCpp: LlamaCppOptions = .anyHead
    /// What a GGUF file says beyond what it says of a Llama, without the architecture before each key: ``adjust`` taken back.
    var ggufKeys: @Sendable (DecoderConfiguration) throws -> [(key: String, value: GGUFValue)] = { _ in [] }
    /// Names of the weights, in both kinds of files.
    package var names = WeightNames.llama
    /// Whether llama.cpp's converter reorders the rows of queries and keys: its rotary kernel for this kind pairs neighbors,
    /// transformers' pairs halves.
    package var permutesRotaryRows = false
    /// What transformers takes where `config.json` leaves it out.
    var defaults = Defaults()
    /// Changes what a Llama with these sizes would be.
    var adjust: @Sendable (inout DecoderConfiguration, ModelKeys) throws -> Void = { _, _ in }

    /// Sizes without a default are required.
    struct Defaults: Sendable {
        var vocabularySize: Int?
        var hiddenSize: Int?
        var intermediateSize: Int?
        var layerCount: Int?
        var headCount: Int?
        /// As many as heads, unless given.
        var keyValueHeadCount: Int?
        /// hidden / heads, unless given.
        var headDimension: Int?
        /// Where neither the configuration nor ``intermediateSize`` has one: the hidden size, times this.
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
        /// What the loss of routers is multiplied by, where the configuration asks for it; `nil`: transformers computes none.
        var routerLossCoefficient: Double? = 0.001
        /// What keys of a Llama's configuration are called.
        var keys: [String: String] = [:]
        /// Positions before a rotary scaling; `maximumPositions` unless given.
        var originalPositions: Int?
    }
}

// MARK: The registry

extension Architecture {
    /// All that are computed.
    package static let all: [Architecture] = [
        .llama, .gemma, .gemma2, .gemma3, .qwen2, .qwen3, .mistral, .ministral, .ministral3, .phi3, .olmo2, .olmo3,
        .granite, .smollm3, .glm, .glm4, .cohere, .cohere2, .stableLM, .exaone4, .seedOSS, .arcee, .ernie4_5, .hunyuan,
        .internLM3, .helium, .mixtral, .qwen2MoE, .qwen3MoE, .olmoe, .graniteMoE, .graniteMoEHybrid, .phiMoE, .glm4MoE,
        .gptOSS,
        .gptNeoX, .gpt2, .phi, .starCoder2, .nemotron, .falcon, .olmo, .apertus, .mpt,
    ]

    /// All `model_type`s that are read.
    static var modelTypes: [String] { all.flatMap { [$0.modelType] + $0.multimodalTypes } }

    /// Every architecture whose models have linear layers of exactly these names, as PEFT's `all-linear` writes them.
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
