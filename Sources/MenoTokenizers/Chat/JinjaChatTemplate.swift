internal import Foundation
internal import MenoFormats
internal import MenoJinja

/// A chat template in Jinja, as models bring them along, with the tokens that it may write.
package struct JinjaChatTemplate: Sendable, Hashable {
    let template: JinjaTemplate
    private let tokens: [String: JinjaValue]
    let tokenizer: Tokenizer
    /// The template's name in errors: a file, or the model's own.
    let name: String
    /// Default values for variables that a conversation does not set.
    var variables: [JSONValue.Member] = []
    /// The current time for the template; `nil`: the time of each rendering.
    var date: Date?
    private var habits = TemplateHabits.probing

    var source: String { template.source }

    /// - Parameter name: the template's name in errors.
    /// - Throws: ``TokenizerError``, with the line of the template.
    package init(_ source: String, name: String, tokenizer: Tokenizer) throws {
        self.name = name
        self.tokenizer = tokenizer
        do {
            template = try JinjaTemplate(source)
        } catch {
            throw TokenizerError(
                .unsupported, at: name, "the chat template cannot be read: \(TokenizerError.sentence(error))",
                advice: "Use a built-in one: `chat_template: gemma`, `llama3` or `chatml`.")
        }
        let text = { (id: TokenID?) in JinjaValue.string(id.flatMap(tokenizer.token) ?? "") }
        tokens = [
            "bos_token": text(tokenizer.bosID), "eos_token": text(tokenizer.eosID), "pad_token": text(tokenizer.padID),
            "unk_token": text(tokenizer.unknownID),
        ]
        habits = TemplateHabits { messages in try? run(messages, [], addGenerationPrompt: false) }
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.template == b.template && a.tokens == b.tokens && a.name == b.name && a.variables == b.variables
            && a.date == b.date
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(template) }

    /// - Throws: ``TokenizerError`` with `refused` if the template rejects the conversation.
    func render(
        _ messages: [ChatMessage], _ variables: [JSONValue.Member], addGenerationPrompt: Bool
    ) throws -> ChatText {
        if template.hasGenerationBlocks, !addGenerationPrompt {
            let rendering = try run(messages, variables, addGenerationPrompt: false, marksGeneration: true)
            return ChatText(text: rendering.text, completions: rendering.generation, needsBOS: false)
        }
        let text = try run(messages, variables, addGenerationPrompt: addGenerationPrompt)
        return ChatText(
            text: text, completions: addGenerationPrompt ? [] : completions(messages, variables, in: text),
            needsBOS: false)
    }

    func run(_ messages: [ChatMessage], _ variables: [JSONValue.Member], addGenerationPrompt: Bool) throws -> String {
        try run(messages, variables, addGenerationPrompt: addGenerationPrompt, marksGeneration: false).text
    }

    private func run(
        _ messages: [ChatMessage], _ variables: [JSONValue.Member], addGenerationPrompt: Bool, marksGeneration: Bool
    ) throws -> JinjaTemplate.Rendering {
        var values = tokens
        for name in ["tools", "documents"] { values[name] = JinjaValue.none }
        for member in self.variables.overridden(by: variables)
        where tokens[member.key] == nil && !Self.reservedNames.contains(member.key) {
            values[member.key] = JinjaValue(member.value)
        }
        for (name, value) in Self.variables(messages, addGenerationPrompt, habits: habits) { values[name] = value }
        do {
            return try template.render(values, marksGeneration: marksGeneration, now: date ?? Date())
        } catch {
            throw TokenizerError.refused(by: name, error)
        }
    }

    /// The variables that every template gets.
    static func variables(
        _ messages: [ChatMessage], _ addGenerationPrompt: Bool, habits: TemplateHabits
    ) -> [(name: String, value: JinjaValue)] {
        [
            ("messages", .array(messages.map { habits.value($0) })),
            ("add_generation_prompt", .boolean(addGenerationPrompt)),
        ]
    }

    /// Names of Jinja itself, which no member of a record may take.
    private static let reservedNames: Set = [
        "range", "dict", "namespace", "cycler", "joiner", "lipsum", "raise_exception", "strftime_now", "loop", "self",
        "varargs", "kwargs", "caller", "true", "false", "none", "True", "False", "None",
    ]
}

extension JinjaValue {
    init(_ value: JSONValue) {
        switch value {
        case .null: self = .none
        case .boolean(let value): self = .boolean(value)
        case .integer(let value): self = .integer(value)
        case .number(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .array(let values): self = .array(values.map { JinjaValue($0) })
        case .object(let members):
            self = .object(members.map { Entry(key: $0.key, value: JinjaValue($0.value)) })
        }
    }
}
