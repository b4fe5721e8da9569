import Foundation
import MenoData
import MenoModels
import MenoTensor
import MenoTokenizers

/// A model with its tokenizer, ready to compute.
struct LoadedModel {
    let name: String
    let url: URL
    let decoder: Decoder
    let tokenizer: Tokenizer

    /// - Parameters:
    ///   - name: a Hugging Face folder, a .gguf file or a name of the catalog.
    ///   - adapter: the folder of an adapter in PEFT's form.
    init(_ name: String, dtype: DType, device: Device, adapter: String? = nil) throws {
        self.name = name
        url = try CatalogModel.locate(name)
        decoder = try ModelFiles(url).load(dtype: dtype, device: device)
        tokenizer = try Tokenizer.load(url)
        if let adapter {
            let url = URL(filePath: adapter)
            if GGUFAdapterFile.isOne(url) { try GGUFAdapterFile.attach(url, to: decoder) } else {
                try LoRAFiles.attach(url, to: decoder)
            }
        }
        decoder.setTraining(false)
    }

    /// The template of a name, where the records hold a dialogue.
    func template(_ name: String, for records: [Record]) throws -> ChatTemplate? {
        try TokenizedModel(tokenizer: tokenizer).template(name, for: records)
    }

    /// Tokens that end an answer.
    func stopTokens(_ template: ChatTemplate) -> Set<Int32> {
        Set(tokenizer.endOfTurnIDs + [template.endOfTurn.flatMap(tokenizer.id), tokenizer.eosID].compactMap { $0 })
    }

    struct Answer {
        let text: String
        let tokens: Int
        let end: GenerationEnd
    }

    /// Answers a conversation.
    /// - Parameter onText: called with each new piece of the answer; returning `false` ends it.
    func answer(
        _ messages: [ChatMessage], template: ChatTemplate, sampling: Sampling, maxNewTokens: Int,
        onText: (String) throws -> Bool = { _ in true }
    ) throws -> Answer {
        let prompt = tokenizer.encode(try template.render(messages, addGenerationPrompt: true))
        var text = StreamingText(tokenizer)
        let (tokens, end) = try decoder.generate(
            prompt: prompt.ids, maxNewTokens: maxNewTokens, stopTokens: stopTokens(template), sampling: sampling
        ) { token in
            let piece = text.append(token)
            return try piece.isEmpty || onText(piece)
        }
        let rest = text.finish()
        if !rest.isEmpty { _ = try onText(rest) }
        return Answer(text: text.shown, tokens: tokens.count, end: end)
    }
}
