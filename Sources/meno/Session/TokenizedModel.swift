import Foundation
import MenoData
import MenoTokenizers

/// The tokenizer of a model, without its weights.
struct TokenizedModel {
    let tokenizer: Tokenizer

    init(tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    init(_ name: String) throws { tokenizer = try Tokenizer.load(CatalogModel.locate(name), log: ConsoleLog()) }

    /// The template of a name, where the records hold a dialogue.
    func template(_ name: String, for records: [Record]) throws -> ChatTemplate? {
        let hasDialogue = records.contains { if case .dialogue = $0.content { true } else { false } }
        return hasDialogue ? try ChatTemplate.named(name, for: tokenizer) : nil
    }
}

extension Tokenizer {
    /// Reads a tokenizer, and warns of what may be wrong with its file.
    static func load(_ url: URL, log: ConsoleLog) throws -> Tokenizer {
        // Of an adapter with the tokenizer beside it that is all that is needed.
        if let adapter = AdapterFolder(url),
            !FileManager.default.fileExists(atPath: url.appending(path: "tokenizer.json").path)
        {
            throw adapter.refusal
        }
        let tokenizer = try load(url)
        tokenizer.warnings.forEach(log.warn)
        return tokenizer
    }
}
