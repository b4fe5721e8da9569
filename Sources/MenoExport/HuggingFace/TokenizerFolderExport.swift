package import Foundation
internal import MenoModels
package import MenoTokenizers

/// Writes what a Hugging Face folder says about text: the tokenizer, the template trained with, and what ends an answer.
package struct TokenizerFolderExport {
    /// The model's folder or GGUF file.
    package let source: URL
    package let tokenizer: Tokenizer
    /// By name.
    package let files: [String: Data]
    /// What ends a turn of the template.
    package let endOfTurn: TokenID?

    /// - Parameters:
    ///   - tokenizerSource: where the tokenizer was read: the model's files, or beside the adapter.
    ///   - rows: of the model's embedding.
    package init(
        _ source: URL, tokenizerSource: URL, tokenizer: Tokenizer, template: ChatTemplate?, rows: Int
    ) throws {
        self.source = source
        self.tokenizer = tokenizer
        files = try TokenizerFiles(of: tokenizerSource, tokenizer: tokenizer, template: template, rows: rows).contents
        endOfTurn = template?.endOfTurn.flatMap(tokenizer.id)
    }

    package func write(to stage: ExportStage) throws {
        for (name, data) in files.sorted(by: { $0.key < $1.key }) { try stage.write(data, to: name) }
        try stage.write(HuggingFaceExport.json(generationConfiguration()), to: "generation_config.json")
    }

    private func generationConfiguration() throws -> [String: Any] {
        var object = try object("generation_config.json") ?? [:]
        var ends = (object["eos_token_id"] as? [Int]) ?? (object["eos_token_id"] as? Int).map { [$0] } ?? []
        let own = [tokenizer.eosID, endOfTurn].compactMap { $0 } + tokenizer.endOfTurnIDs
        for id in own where !ends.contains(Int(id)) { ends.append(Int(id)) }
        if !ends.isEmpty { object["eos_token_id"] = ends.count == 1 ? ends[0] : ends }
        for (key, id) in [("bos_token_id", tokenizer.bosID), ("pad_token_id", tokenizer.padID)] where object[key] == nil
        {
            if let id { object[key] = Int(id) }
        }
        object["_from_model_config"] = nil
        return object
    }

    private func object(_ name: String) throws -> [String: Any]? {
        let file = source.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        guard let object = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] else {
            throw ModelError(.malformed, at: file.path, "is not a JSON object.")
        }
        return object
    }
}
