import Foundation
import MenoConfiguration
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
        if let adapter { try LoRAFiles.attach(URL(filePath: adapter), to: decoder) }
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

/// Turns tokens into text as they come: a character whose bytes are spread over tokens waits for the last of them.
private struct StreamingText {
    private let tokenizer: Tokenizer
    private var ids: [Int32] = []
    private(set) var shown = ""

    init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

    mutating func append(_ id: Int32) -> String {
        ids.append(id)
        let text = tokenizer.decode(ids, skipSpecialTokens: true)
        return text.hasSuffix("\u{FFFD}") ? "" : show(text)
    }

    mutating func finish() -> String { show(tokenizer.decode(ids, skipSpecialTokens: true)) }

    private mutating func show(_ text: String) -> String {
        let piece = String(decoding: text.utf8.dropFirst(shown.utf8.count), as: UTF8.self)
        shown = text
        return piece
    }
}

extension RunConfiguration.Precision {
    /// - Parameter automatic: what `auto` means.
    func dtype(automatic: DType = .bfloat16) -> DType {
        switch self {
        case .auto: automatic
        case .float32: .float32
        case .bfloat16: .bfloat16
        case .float16: .float16
        }
    }
}

extension RunConfiguration.DeviceChoice {
    func device() throws -> Device {
        let device: Device =
            switch self {
            case .auto: .best
            case .cpu: .cpu
            case .cuda: .cuda
            case .mps: .mps
            }
        guard device == .cpu || Device.count(of: device.kind) > 0 else {
            throw ConfigurationError(
                place: "device", "there is no \(rawValue) device that this libtorch can use.",
                advice: "Use `auto` or `cpu`; `meno doctor` shows what there is.")
        }
        return device
    }
}
