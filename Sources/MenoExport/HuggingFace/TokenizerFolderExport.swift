package import Foundation
internal import MenoModels
package import MenoTokenizers

/// Writes what a Hugging Face folder says about text: the tokenizer, the template trained with, and what ends an answer.
package struct TokenizerFolderExport {
    /// The folder that the tokenizer is copied from.
    package let source: URL
    package let tokenizer: Tokenizer
    /// In Jinja.
    package let template: String?
    /// What ends a turn of the template.
    package let endOfTurn: TokenID?

    package init(_ source: URL, tokenizer: Tokenizer, template: String?, endOfTurn: TokenID?) {
        self.source = source
        self.tokenizer = tokenizer
        self.template = template
        self.endOfTurn = endOfTurn
    }

    private static let copied = [
        "tokenizer.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    ]

    package func write(to stage: ExportStage) throws {
        let has = { (name: String) in FileManager.default.fileExists(atPath: source.appending(path: name).path) }
        guard has("tokenizer.json") else {
            throw ExportError(
                .unsupported, path: source.path, "holds no tokenizer.json to be exported.",
                advice: "Save it with transformers: AutoTokenizer.from_pretrained(…).save_pretrained(folder).")
        }
        for name in Self.copied where has(name) {
            try stage.write(Data(contentsOf: source.appending(path: name), options: .mappedIfSafe), to: name)
        }
        try stage.write(HuggingFaceExport.json(tokenizerConfiguration()), to: "tokenizer_config.json")
        if let template { try stage.write(template, to: "chat_template.jinja") }
        try stage.write(HuggingFaceExport.json(generationConfiguration()), to: "generation_config.json")
    }

    private func tokenizerConfiguration() throws -> [String: Any] {
        var object = try object("tokenizer_config.json") ?? ["tokenizer_class": "PreTrainedTokenizerFast"]
        for (key, id) in [
            ("bos_token", tokenizer.bosID), ("eos_token", tokenizer.eosID), ("pad_token", tokenizer.padID),
            ("unk_token", tokenizer.unknownID),
        ] where object[key] == nil {
            if let name = id.flatMap(tokenizer.token) { object[key] = name }
        }
        // Older programs read it here.
        if let template { object["chat_template"] = template }
        return object
    }

    private func generationConfiguration() throws -> [String: Any] {
        var object = try object("generation_config.json") ?? [:]
        var ends = (object["eos_token_id"] as? [Int]) ?? (object["eos_token_id"] as? Int).map { [$0] } ?? []
        for id in [tokenizer.eosID, endOfTurn].compactMap({ $0 }) where !ends.contains(Int(id)) { ends.append(Int(id)) }
        if !ends.isEmpty { object["eos_token_id"] = ends.count == 1 ? ends[0] : ends }
        for (key, id) in [("bos_token_id", tokenizer.bosID), ("pad_token_id", tokenizer.padID)] where object[key] == nil {
            if let id { object[key] = Int(id) }
        }
        object["_from_model_config"] = nil
        return object
    }

    private func object(_ name: String) throws -> [String: Any]? {
        let file = source.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        guard let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] else {
            throw ModelError(.malformed, path: file.path, "is no JSON object.")
        }
        return object
    }
}
