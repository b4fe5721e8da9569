import MenoData
import MenoTokenizers

/// The tokenizer of a model, without its weights.
struct TokenizedModel {
    let tokenizer: Tokenizer

    init(tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    init(_ name: String) throws { tokenizer = try Tokenizer.load(CatalogModel.locate(name)) }

    /// The template of a name, where the records hold a dialogue.
    func template(_ name: String, for records: [Record]) throws -> ChatTemplate? {
        let hasDialogue = records.contains { if case .dialogue = $0.content { true } else { false } }
        return hasDialogue ? try ChatTemplate.named(name, for: tokenizer) : nil
    }
}
