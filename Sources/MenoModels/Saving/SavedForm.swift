package import Foundation
internal import MenoFormats

/// What a fine-tuned model is on disk.
package struct SavedForm: Sendable {
    private enum Kind: Sendable {
        case adapter(LoRASettings, baseModel: String, revision: String?)
        case model(source: URL)
    }

    private var kind: Kind
    /// Files that belong to the weights, by name: the tokenizer, the chat template.
    private var companions: [String: Data] = [:]

    private init(_ kind: Kind) { self.kind = kind }

    /// An adapter as PEFT reads it.
    /// - Parameters:
    ///   - baseModel: what it was trained on, for `base_model_name_or_path`.
    ///   - revision: its commit, where it came from the Hub.
    package static func adapter(_ settings: LoRASettings, baseModel: String, revision: String? = nil) -> SavedForm {
        SavedForm(.adapter(settings, baseModel: baseModel, revision: revision))
    }

    /// A whole model as transformers reads it, with the configuration and tokenizer of the folder that it came from. The text
    /// model of a multimodal one becomes a model of its own: the other parts are not held.
    package static func model(source: URL) -> SavedForm { SavedForm(.model(source: source)) }

    /// The same with files beside the weights, in every checkpoint and in the result.
    package func accompanied(by files: [String: Data]) -> SavedForm {
        var form = self
        form.companions = files
        return form
    }

    /// Bytes of the files beside the weights.
    package var companionSize: Int { companions.values.reduce(0) { $0 + $1.count } }

    /// The settings of an adapter; `nil`: it is a whole model.
    package var adapterSettings: LoRASettings? {
        if case .adapter(let settings, _, _) = kind { settings } else { nil }
    }

    /// The file that holds the weights.
    package var weightsName: String {
        switch kind {
        case .adapter: LoRAFiles.weightsName
        case .model: "model.safetensors"
        }
    }

    /// What a folder of transformers holds beside its weights.
    private static let copiedNames = ["generation_config.json"] + tokenizerNames
    private static let tokenizerNames = [
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja",
        "chat_template.json",
    ]

    /// Writes a model's trained values into an existing folder. The weights come last: where they are, everything is.
    package func write(_ weights: NamedValues, to folder: URL) throws {
        let isTextPart = weights.entries.contains { $0.name.hasPrefix(ModuleNames.partPrefix) }
        let url = folder.appending(path: weightsName)
        for (name, data) in companions.sorted(by: { $0.key < $1.key }) {
            try WholeFile.write(data, to: folder.appending(path: name))
        }
        switch kind {
        case .adapter(var settings, let baseModel, let revision):
            let weights = withHead(weights)
            // A part of a name may fit modules of the other parts too.
            if isTextPart { settings.modulesToSave = Self.modules(of: weights) }
            try LoRAFiles.writeConfiguration(
                settings, baseModel: baseModel, revision: revision, isTextPart: isTextPart, to: folder)
            try weights.renamed { LoRAFiles.prefix + $0 }.write(to: url)
        case .model(let source):
            let copied = Self.copiedNames.filter { companions.isEmpty || !Self.tokenizerNames.contains($0) }
            for name in copied { try Self.copy(name, from: source, to: folder) }
            try Self.writeConfiguration(
                from: source, to: folder, isTextPart: isTextPart,
                hasHead: weights.entries.contains { $0.name == "lm_head.weight" })
            try weights.renamed(ModuleNames.alone).write(to: url)
        }
    }

    /// The full names of the modules that are saved as a whole.
    private static func modules(of weights: NamedValues) -> [String] {
        let names = weights.entries.map(\.name).filter { !$0.contains(".lora_") }
        return Set(names.map { $0.split(separator: ".").dropLast().joined(separator: ".") }).sorted()
    }

    /// Copies `config.json`, but for what is not true of the saved model: its type, its quantisation, its parts, its head. A model that came
    /// from a GGUF file has none.
    private static func writeConfiguration(
        from source: URL, to folder: URL, isTextPart: Bool, hasHead: Bool
    ) throws {
        let file = source.appending(path: "config.json")
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        guard let whole = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] else {
            throw ModelError(.malformed, at: file.path, "is not a JSON object.")
        }
        var configuration = whole
        if isTextPart, let text = whole["text_config"] as? [String: Any] {
            let shared = ["bos_token_id", "eos_token_id", "pad_token_id"]
            configuration = whole.filter { shared.contains($0.key) }.merging(text) { $1 }
            let model = try DecoderConfiguration.read(huggingFace: file)
            configuration["model_type"] = model.modelType
            configuration["architectures"] = [model.architecture.className]
        }
        // Before transformers 5 the key was `torch_dtype`.
        let key = whole["dtype"] == nil && whole["torch_dtype"] != nil ? "torch_dtype" : "dtype"
        configuration["quantization_config"] = nil
        configuration["dtype"] = nil
        configuration["torch_dtype"] = nil
        configuration[key] = "float32"
        configuration["quantization_config"] = nil
        if hasHead { configuration["tie_word_embeddings"] = false }
        let text = JSONValue(foundation: configuration).indented
        try WholeFile.write(Data(text.utf8), to: folder.appending(path: "config.json"))
    }

    /// Nothing is lost where a copy fails, or where the folder is the source itself.
    private static func copy(_ name: String, from source: URL, to folder: URL) throws {
        let (original, copy) = (source.appending(path: name), folder.appending(path: name))
        guard FileManager.default.fileExists(atPath: original.path),
            original.resolvingSymlinksInPath().path != copy.resolvingSymlinksInPath().path
        else { return }
        try WholeFile.write(Data(contentsOf: original, options: .mappedIfSafe), to: copy)
    }

    /// PEFT takes a head that is the embedding for a module of its own: it gets the same values.
    private func withHead(_ weights: NamedValues) -> NamedValues {
        guard let settings = adapterSettings, settings.modulesToSave.contains("lm_head"),
            !weights.entries.contains(where: { $0.name == "lm_head.weight" }),
            var head = weights.entries.first(where: { $0.name.hasSuffix(".embed_tokens.weight") })
        else { return weights }
        head.name = "lm_head.weight"
        var weights = weights
        weights.entries.append(head)
        return weights
    }

    /// Puts saved values back into a model that has the same adapters.
    package func restore(_ model: Decoder, from folder: URL) throws {
        switch kind {
        case .adapter: try LoRAFiles.restore(model, from: folder)
        case .model:
            try NamedValues.restore(
                model.trainedParameters.map { (ModuleNames.alone($0.name), $0.tensor) },
                from: folder.appending(path: weightsName), at: model.configuration.savedPlace)
        }
    }
}

extension Decoder {
    /// The trained values of this moment, in the order of their names.
    package func trainedValues() throws -> NamedValues {
        let buffers = parameters.filter { $0.isBuffer && trainsAll }
        let values = try NamedValues((trainedParameters + buffers).map { ($0.name, $0.tensor) }.sorted { $0.0 < $1.0 })
        return values.placed(configuration.savedPlace)
    }

    /// Whether the model itself is trained, and not adapters beside it.
    private var trainsAll: Bool {
        embedding.isTrained && adapters.isEmpty
    }
}
