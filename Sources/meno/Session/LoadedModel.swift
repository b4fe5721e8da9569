import Foundation
import MenoData
import MenoModels
import MenoTensor
import MenoTokenizers
import MenoTraining

/// A model with its tokenizer, ready to compute.
struct LoadedModel {
    let name: String
    let url: URL
    let decoder: Decoder
    private let tokenized: TokenizedModel
    /// Whether it is to be trained: then any template may be chosen.
    private let isTrained: Bool
    var tokenizer: Tokenizer { tokenized.tokenizer }

    /// - Parameters:
    ///   - name: a Hugging Face folder, a .gguf file or a name of the catalog.
    ///   - adapter: the folder of an adapter in PEFT's form.
    ///   - log: gets what may be wrong with the model's files.
    init(_ name: String, dtype: DType, device: Device, adapter: String? = nil, log: ConsoleLog = ConsoleLog()) throws {
        self.name = name
        isTrained = false
        url = try CatalogModel.locate(name)
        if let adapter = AdapterFolder(url) { throw adapter.refusal }
        let files = try ModelFiles(url)
        decoder = try files.load(
            dtype: dtype, form: WeightChoice.auto.form(of: files, dtype: dtype, device: device), device: device)
        let adapter = adapter.map { URL(filePath: $0) }
        tokenized = try TokenizedModel(url, adapter: adapter, log: log)
        if let adapter { try LoRAFiles.attach(adapter, to: decoder, warn: log.warn) }
        decoder.setTraining(false)
    }

    /// A model that is to be trained, with the tokenizer that was read before it.
    init(
        _ name: String, _ files: ModelFiles, _ tokenized: TokenizedModel, dtype: DType, form: WeightForm,
        quantization: WeightQuantization?, device: Device
    ) throws {
        self.name = name
        self.tokenized = tokenized
        isTrained = true
        url = files.url
        decoder = try files.load(dtype: dtype, form: form, quantization: quantization, device: device)
        decoder.setTraining(false)
    }

    /// What an adapter's `base_model_name_or_path` is: by it PEFT finds the model.
    var reference: String { CatalogModel.reference(name, url) }

    /// The template of a name, where the records hold a dialogue.
    func template(_ name: String, for records: [Record]) throws -> ChatTemplate? {
        try tokenized.template(name, for: records, warnsOfOther: !isTrained)
    }

    /// The template of a name.
    func template(_ name: String) throws -> ChatTemplate { try tokenized.template(name, warnsOfOther: !isTrained) }

    /// What is saved beside a model or an adapter that was trained with this tokenizer.
    func tokenizerFiles(_ template: ChatTemplate?) throws -> [String: Data] {
        try TokenizerFiles(
            of: tokenized.url, tokenizer: tokenizer, template: template, rows: decoder.configuration.vocabularySize
        ).contents
    }

    /// Tokens that end an answer.
    func stopTokens(_ template: ChatTemplate) -> Set<Int32> {
        Set(tokenizer.endOfTurnIDs + [template.endOfTurn.flatMap(tokenizer.id), tokenizer.eosID].compactMap { $0 })
    }

    /// Tokens that the model's context holds.
    var contextLength: Int { decoder.configuration.maximumPositions }

    /// How many tokens an answer to a conversation may have, by the model's context; none where that is below 1.
    func room(after messages: [ChatMessage], template: ChatTemplate) throws -> Int {
        try contextLength - tokenizer.encode(template.render(messages, addGenerationPrompt: true)).ids.count
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
