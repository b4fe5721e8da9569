internal import Foundation

/// A chat template in Jinja, as models bring them along, with the tokens that it may write.
public struct JinjaChatTemplate: Sendable, Hashable {
    let template: JinjaTemplate
    private let tokens: [String: JinjaValue]
    let tokenizer: Tokenizer
    /// What the template is called in errors: a file, or the model's own.
    let name: String

    /// - Parameter name: what the template is called in errors.
    /// - Throws: ``TokenizerError``, with the line of the template.
    public init(_ source: String, name: String, tokenizer: Tokenizer) throws {
        self.name = name
        self.tokenizer = tokenizer
        do {
            template = try JinjaTemplate(source)
        } catch {
            throw TokenizerError(
                .unsupported, path: name, "the chat template cannot be read: \(Self.sentence(error))",
                advice: "Use a built-in one: `chat_template: gemma`, `llama3` or `chatml`.")
        }
        let text = { (id: TokenID?) in JinjaValue.string(id.flatMap(tokenizer.token) ?? "") }
        tokens = [
            "bos_token": text(tokenizer.bosID), "eos_token": text(tokenizer.eosID), "pad_token": text(tokenizer.padID),
            "unk_token": text(tokenizer.unknownID),
        ]
    }

    public static func == (a: Self, b: Self) -> Bool {
        a.template == b.template && a.tokens == b.tokens && a.name == b.name
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(template) }

    /// A reason with one full stop: what a template raises itself may have none.
    private static func sentence(_ error: any Error) -> String {
        let text = "\(error)"
        return text.last.map { ".!?。！？".contains($0) } ?? false ? text : text + "."
    }

    /// - Throws: ``TokenizerError`` with `refused` where the template does not take the conversation.
    func render(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws -> ChatText {
        if template.hasGenerationBlocks, !addGenerationPrompt {
            let rendering = try run(messages, addGenerationPrompt: false, marksGeneration: true)
            return ChatText(text: rendering.text, completions: rendering.generation, needsBOS: false)
        }
        let text = try run(messages, addGenerationPrompt: addGenerationPrompt)
        return ChatText(
            text: text, completions: addGenerationPrompt ? [] : completions(messages, in: text), needsBOS: false)
    }

    func run(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws -> String {
        try run(messages, addGenerationPrompt: addGenerationPrompt, marksGeneration: false).text
    }

    private func run(
        _ messages: [ChatMessage], addGenerationPrompt: Bool, marksGeneration: Bool
    ) throws -> JinjaTemplate.Rendering {
        var variables = tokens
        variables["messages"] = .array(
            messages.map { ["role": .string($0.role.rawValue), "content": .string($0.content)] })
        variables["add_generation_prompt"] = .boolean(addGenerationPrompt)
        for name in ["tools", "documents"] { variables[name] = JinjaValue.none }
        do {
            return try template.render(variables, marksGeneration: marksGeneration)
        } catch {
            throw TokenizerError(
                .refused, path: name, "the chat template does not take this conversation: \(Self.sentence(error))")
        }
    }
}
