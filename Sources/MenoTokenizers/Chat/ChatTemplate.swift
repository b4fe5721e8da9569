internal import Foundation

/// How a conversation becomes the text that a model was trained on.
public enum ChatTemplate: Sendable, Hashable {
    /// Gemma 2 and 3: `<start_of_turn>user … <end_of_turn>`; a system message opens the first user turn.
    case gemma
    /// Llama 3: `<|start_header_id|>user<|end_header_id|> … <|eot_id|>`.
    case llama3
    /// ChatML (Qwen, SmolLM2 and many others): `<|im_start|>user … <|im_end|>`.
    case chatML
    /// One in Jinja.
    case jinja(JinjaChatTemplate)

    /// The built-in templates by the name that a configuration gives them.
    public static let builtIn: [(name: String, template: ChatTemplate)] = [
        ("gemma", .gemma), ("llama3", .llama3), ("chatml", .chatML),
    ]

    /// The template of a name, `tokenizer` (the one that came with the model) or the path of a `.jinja` file.
    ///
    /// `auto` is the built-in one whose turn markers the tokenizer has and the model's own template, if it brings one,
    /// writes; or else the model's own.
    /// - Throws: ``TokenizerError`` for an unknown name, or when the vocabulary lacks the template's markers: they would
    ///   be cut into letters and the model would never see a turn end.
    public static func named(_ name: String, for tokenizer: Tokenizer) throws -> ChatTemplate {
        let names = builtIn.map(\.name).joined(separator: ", ")
        if name == "tokenizer" || name.hasSuffix(".jinja") { return try jinja(name, tokenizer) }
        if name == "auto" {
            let own = tokenizer.chatTemplateSource
            guard
                let match = builtIn.first(where: { _, template in
                    template.missingMarker(in: tokenizer) == nil && own?.contains(template.openingMarker) ?? true
                })
            else {
                if own != nil { return try jinja("tokenizer", tokenizer) }
                throw TokenizerError(
                    .unsupported, path: nil,
                    "the vocabulary has the turn markers of none of the chat templates \(names), and the model brings none.",
                    advice: "Train such a model on records of the shapes \"text\" or \"prompt\"/\"completion\".")
            }
            return match.template
        }
        guard let template = builtIn.first(where: { $0.name == name })?.template else {
            throw TokenizerError(
                .unsupported, path: nil, "there is no chat template \"\(name)\".",
                advice: "Known: auto, \(names), tokenizer, or the path of a .jinja file.")
        }
        if let marker = template.missingMarker(in: tokenizer) {
            throw TokenizerError(
                .unsupported, path: nil,
                "the chat template \"\(name)\" needs the token \(marker), which the model lacks.",
                advice: "Use `chat_template: auto`.")
        }
        return template
    }

    private static func jinja(_ name: String, _ tokenizer: Tokenizer) throws -> ChatTemplate {
        if name == "tokenizer" {
            guard let source = tokenizer.chatTemplateSource else {
                throw TokenizerError(
                    .unsupported, path: nil, "the model brings no chat template.", advice: "Use `chat_template: auto`.")
            }
            return .jinja(try JinjaChatTemplate(source, name: "the model's chat template", tokenizer: tokenizer))
        }
        guard let data = try? Data(contentsOf: URL(filePath: name)) else {
            throw TokenizerError(
                .notFound, path: name, "cannot be read.",
                advice: "`chat_template` is auto, tokenizer, gemma, llama3, chatml or the path of a .jinja file.")
        }
        guard let source = String(data: data, encoding: .utf8) else {
            throw TokenizerError(.malformed, path: name, "is not UTF-8 text.")
        }
        return .jinja(try JinjaChatTemplate(source, name: name, tokenizer: tokenizer))
    }

    /// - Parameter addGenerationPrompt: whether the assistant's next turn is opened at the end.
    /// - Throws: ``TokenizerError`` where a template in Jinja does not take the conversation.
    public func render(_ messages: [ChatMessage], addGenerationPrompt: Bool = false) throws -> ChatText {
        if case .jinja(let template) = self {
            return try template.render(messages, addGenerationPrompt: addGenerationPrompt)
        }
        var chat = ChatText(text: "", completions: nil, needsBOS: self != .chatML)
        var completions: [Range<Int>] = []
        for message in turns(of: messages) {
            chat.text += opening(message.role)
            let start = chat.text.utf8.count
            chat.text += message.content + (endOfTurn ?? "")
            if message.role == .assistant { completions.append(start..<chat.text.utf8.count) }
            if self != .llama3 { chat.text += "\n" }
        }
        if addGenerationPrompt { chat.text += opening(.assistant) }
        chat.completions = completions
        return chat
    }

    /// The turns with their texts as the models' own templates write them: Gemma's and Llama's without white space around.
    /// Gemma has no system turn: what it would say opens the first user turn, as it is.
    private func turns(of messages: [ChatMessage]) -> [ChatMessage] {
        guard self != .chatML else { return messages }
        var turns = messages.map { ChatMessage($0.role, $0.content.stripped(of: nil)) }
        guard self == .gemma, messages.first?.role == .system else { return turns }
        guard turns.count > 1, turns[1].role == .user else {
            turns[0].role = .user
            return turns
        }
        turns[1].content = messages[0].content + "\n\n" + turns[1].content
        return Array(turns.dropFirst())
    }

    private func opening(_ role: ChatMessage.Role) -> String {
        switch self {
        case .gemma: "<start_of_turn>\(role == .assistant ? "model" : role.rawValue)\n"
        case .llama3: "<|start_header_id|>\(role.rawValue)<|end_header_id|>\n\n"
        case .chatML: "<|im_start|>\(role.rawValue)\n"
        case .jinja: ""
        }
    }

    /// The token that ends every turn; `nil` where only the template knows.
    public var endOfTurn: String? {
        switch self {
        case .gemma: "<end_of_turn>"
        case .llama3: "<|eot_id|>"
        case .chatML: "<|im_end|>"
        case .jinja: nil
        }
    }

    /// The token that begins every turn.
    private var openingMarker: String {
        switch self {
        case .gemma: "<start_of_turn>"
        case .llama3: "<|start_header_id|>"
        case .chatML: "<|im_start|>"
        case .jinja: ""
        }
    }

    private func missingMarker(in tokenizer: Tokenizer) -> String? {
        [openingMarker, endOfTurn].compactMap { $0 }.first { tokenizer.id(of: $0) == nil }
    }
}

extension ChatTemplate: CustomStringConvertible {
    /// The name of a built-in template, or where one in Jinja comes from.
    public var description: String {
        switch self {
        case .jinja(let template): template.name
        default: Self.builtIn.first { $0.template == self }?.name ?? ""
        }
    }
}
