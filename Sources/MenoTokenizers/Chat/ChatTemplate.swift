package import Foundation
package import MenoFormats
internal import MenoJinja

/// How a conversation becomes the text that a model was trained on.
package enum ChatTemplate: Sendable, Hashable {
    /// Gemma 2 and 3: `<start_of_turn>user … <end_of_turn>`; a system message opens the first user turn.
    case gemma
    /// Llama 3: `<|start_header_id|>user<|end_header_id|> … <|eot_id|>`.
    case llama3
    /// ChatML (Qwen, SmolLM2 and many others): `<|im_start|>user … <|im_end|>`.
    case chatML
    /// One in Jinja.
    case jinja(JinjaChatTemplate)

    /// The built-in templates by the name that a configuration gives them.
    package static let builtIn: [(name: String, template: ChatTemplate)] = [
        ("gemma", .gemma), ("llama3", .llama3), ("chatml", .chatML),
    ]

    var builtIn: BuiltInTemplate? {
        switch self {
        case .gemma: .gemma
        case .llama3: .llama3
        case .chatML: .chatML
        case .jinja: nil
        }
    }

    /// The template in Jinja, as it is saved beside a model: it renders the same text in every program that reads
    /// chat templates.
    package var source: String {
        if case .jinja(let template) = self { return template.source }
        return builtIn?.source ?? ""
    }

    /// Whether the template writes the date of the day it runs on.
    package var writesDate: Bool { source.contains("strftime_now") }

    /// The same template with default values for variables that a conversation does not set.
    /// - Parameters:
    ///   - variables: by name, such as `tools` or `enable_thinking`; a built-in template reads none.
    ///   - date: the current time for the template; `nil`: the time of each rendering.
    package func with(variables: [JSONValue.Member] = [], date: Date? = nil) -> ChatTemplate {
        guard case .jinja(var template) = self else { return self }
        template.variables = template.variables.overridden(by: variables)
        template.date = date ?? template.date
        return .jinja(template)
    }

    /// - Parameters:
    ///   - variables: the conversation's variables in addition to its turns, by name (`tools`, `documents`, `enable_thinking`,
    ///     …).
    ///   - addGenerationPrompt: whether the assistant's next turn is opened at the end.
    /// - Throws: ``TokenizerError`` with `refused` where the template does not take the conversation; its own words are
    ///   in the message.
    package func render(
        _ messages: [ChatMessage], variables: [JSONValue.Member] = [], addGenerationPrompt: Bool = false
    ) throws -> ChatText {
        if case .jinja(let template) = self {
            return try template.render(messages, variables, addGenerationPrompt: addGenerationPrompt)
        }
        guard let builtIn else { return ChatText(text: "", completions: nil, needsBOS: false) }
        if let written = builtIn.written(messages, addGenerationPrompt: addGenerationPrompt) {
            return ChatText(text: written.text, completions: written.completions, needsBOS: self != .chatML)
        }
        var values = ["bos_token": JinjaValue.string("")]
        for (name, value) in JinjaChatTemplate.variables(messages, addGenerationPrompt, habits: .none) {
            values[name] = value
        }
        do {
            let rendering = try builtIn.template.render(values)
            return ChatText(
                text: rendering.text, completions: rendering.generation, needsBOS: self != .chatML)
        } catch {
            throw TokenizerError.refused(by: "\(self)", error)
        }
    }

    /// The token that ends every turn; `nil` if only the template determines it.
    package var endOfTurn: String? {
        if let builtIn { return builtIn.ending }
        return Self.builtIn.lazy.compactMap(\.template.builtIn)
            .first { source.hasText($0.opening) && source.hasText($0.ending) }?.ending
    }

    func missingMarker(in tokenizer: Tokenizer) -> String? {
        [builtIn?.opening, builtIn?.ending].compactMap { $0 }.first { tokenizer.id(of: $0) == nil }
    }
}

extension ChatTemplate: CustomStringConvertible {
    /// The name of a built-in template, or the source of a Jinja template.
    package var description: String {
        switch self {
        case .jinja(let template): template.name
        case .gemma: "gemma"
        case .llama3: "llama3"
        case .chatML: "chatml"
        }
    }
}

extension TokenizerError {
    /// The template's own message, ending with one full stop.
    static func refused(by name: String, _ error: any Error) -> TokenizerError {
        TokenizerError(
            .refused, at: name, "the chat template rejects this conversation: \(sentence(error))")
    }

    static func sentence(_ error: any Error) -> String {
        let text = "\(error)"
        return text.last.map { ".!?。！？".contains($0) } ?? false ? text : text + "."
    }
}

extension [JSONValue.Member] {
    /// These members, with the other members' values for common keys.
    package func overridden(by others: [JSONValue.Member]) -> [JSONValue.Member] {
        filter { member in !others.contains { $0.key == member.key } } + others
    }
}
