public import Foundation
internal import MenoFormats

/// What a fine-tuned model is on disk.
public enum SavedForm: Sendable {
    /// An adapter as PEFT reads it. `baseModel`: what it was trained on, for `base_model_name_or_path`.
    case adapter(LoRASettings, baseModel: String)
    /// A whole model as transformers reads it, with the configuration and tokenizer of the folder that it came from.
    case model(source: URL)

    /// The file that holds the weights.
    public var weightsName: String {
        switch self {
        case .adapter: LoRAFiles.weightsName
        case .model: "model.safetensors"
        }
    }

    /// What a folder of transformers holds beside its weights.
    private static let copiedNames = [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "chat_template.jinja", "chat_template.json",
    ]

    private var prefix: String {
        switch self {
        case .adapter: LoRAFiles.prefix
        case .model: ""
        }
    }

    /// Writes a model's trained values into an existing folder.
    public func write(_ weights: NamedValues, to folder: URL) throws {
        try withHead(weights).write(to: folder.appending(path: weightsName), prefix: prefix)
        switch self {
        case .adapter(let settings, let baseModel):
            try LoRAFiles.writeConfiguration(settings, baseModel: baseModel, to: folder)
        case .model(let source):
            for name in Self.copiedNames { try Self.copy(name, from: source, to: folder) }
        }
    }

    /// Nothing is lost where a copy fails, or where the folder is the source itself.
    private static func copy(_ name: String, from source: URL, to folder: URL) throws {
        let (original, copy) = (source.appending(path: name), folder.appending(path: name))
        guard FileManager.default.fileExists(atPath: original.path),
            original.resolvingSymlinksInPath().path != copy.resolvingSymlinksInPath().path
        else { return }
        try Data(contentsOf: original, options: .mappedIfSafe).write(to: copy, options: .atomic)
    }

    /// PEFT takes a head that is the embedding for a module of its own: it gets the same values.
    private func withHead(_ weights: NamedValues) -> NamedValues {
        guard case .adapter(let settings, _) = self, settings.modulesToSave.contains("lm_head"),
            !weights.entries.contains(where: { $0.name == "lm_head.weight" }),
            var head = weights.entries.first(where: { $0.name == "model.embed_tokens.weight" })
        else { return weights }
        head.name = "lm_head.weight"
        var weights = weights
        weights.entries.append(head)
        return weights
    }

    /// Puts saved values back into a model that has the same adapters.
    public func restore(_ model: Decoder, from folder: URL) throws {
        try NamedValues.restore(
            model.trainedParameters.map { ($0.name, $0.tensor) }, from: folder.appending(path: weightsName),
            prefix: prefix)
    }
}

extension Decoder {
    /// The trained values of this moment, in the order of their names.
    public func trainedValues() throws -> NamedValues {
        try NamedValues(trainedParameters.map { ($0.name, $0.tensor) }.sorted { $0.0 < $1.0 })
    }
}
