internal import Foundation

/// A chat template in Jinja, as models bring them along, with the tokens that it may write.
public struct JinjaChatTemplate: Sendable, Hashable {
    private let template: JinjaTemplate
    private let tokens: [String: JinjaValue]
    /// What the template is called in errors: a file, or the model's own.
    private let name: String

    /// - Parameter name: what the template is called in errors.
    /// - Throws: ``TokenizerError``, with the line of the template.
    public init(_ source: String, name: String, tokenizer: Tokenizer) throws {
        self.name = name
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
        let text = try run(messages, addGenerationPrompt: addGenerationPrompt, marksGeneration: false).text
        return ChatText(
            text: text, completions: addGenerationPrompt ? [] : try completions(messages, in: text), needsBOS: false)
    }

    /// What the assistant writes, where a template does not mark it: what an answer adds to the conversation before it
    /// with the opening of the assistant's turn.
    private func completions(_ messages: [ChatMessage], in text: String) throws -> [Range<Int>] {
        let bytes = Array(text.utf8)
        var completions: [Range<Int>] = []
        for (index, message) in messages.enumerated() where message.role == .assistant {
            let opened = try run(Array(messages[..<index]), addGenerationPrompt: true, marksGeneration: false).text
            let answered = try run(Array(messages[...index]), addGenerationPrompt: false, marksGeneration: false).text
            let (start, end) = (opened.utf8.count, answered.utf8.count)
            guard start <= end, end <= bytes.count, bytes.starts(with: answered.utf8), bytes.starts(with: opened.utf8)
            else {
                throw TokenizerError(
                    .refused, path: name,
                    "the chat template writes earlier turns differently once turn \(index + 1) is answered, so it is "
                        + "not known which tokens the assistant writes.",
                    advice: "Use a built-in template, or mark the answers with {% generation %}.")
            }
            // The line end behind the token that ends a turn belongs to nobody.
            let spaces = bytes[start..<end].reversed().prefix { $0 == 0x0A || $0 == 0x20 }.count
            completions.append(start..<end - spaces)
        }
        return completions
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
