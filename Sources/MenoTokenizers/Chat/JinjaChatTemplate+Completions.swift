internal import Foundation
internal import MenoFormats
internal import MenoJinja

/// Finds the assistant's text in a rendered dialogue if the template does not mark it.
extension JinjaChatTemplate {
    /// The UTF-8 bytes of the answers, with the token that ends each; `nil` where it is not known of some answer.
    func completions(_ messages: [ChatMessage], _ variables: [JSONValue.Member], in text: String) -> [Range<Int>]? {
        if let known = asBuiltIn(messages, text) { return known }
        let bytes = Array(text.utf8)
        let dialogue = Dialogue(messages: messages, variables: variables)
        var completions: [Range<Int>] = []
        for (index, message) in messages.enumerated() where message.role == .assistant {
            guard let range = added(by: index, of: dialogue, to: bytes) ?? found(index, of: dialogue, in: bytes) else {
                return nil
            }
            // The line end behind the token that ends a turn belongs to nobody.
            let spaces = bytes[range].reversed().prefix { $0 == 0x0A || $0 == 0x20 }.count
            completions.append(range.lowerBound..<range.upperBound - spaces)
        }
        return completions
    }

    private struct Dialogue {
        var messages: [ChatMessage]
        var variables: [JSONValue.Member]

        func first(_ count: Int) -> Dialogue { Dialogue(messages: Array(messages[..<count]), variables: variables) }
    }

    private func run(_ dialogue: Dialogue, addGenerationPrompt: Bool) throws -> String {
        try run(dialogue.messages, dialogue.variables, addGenerationPrompt: addGenerationPrompt)
    }

    /// The answers where a built-in template writes the same text, after what the model's own puts before it (BOS, a
    /// system turn): the built-in ones mark their answers, so that one rendering finds all of them.
    private func asBuiltIn(_ messages: [ChatMessage], _ text: String) -> [Range<Int>]? {
        for (_, template) in ChatTemplate.builtIn {
            guard let builtIn = template.builtIn, text.hasText(builtIn.opening),
                let chat = try? template.render(messages), !chat.text.isEmpty, text.utf8.count >= chat.text.utf8.count,
                text.hasEnding(chat.text)
            else { continue }
            let start = text.utf8.count - chat.text.utf8.count
            return chat.completions?.map { $0.lowerBound + start..<$0.upperBound + start }
        }
        return nil
    }

    /// What an answer adds to the conversation before it with the opening of the assistant's turn, where both are written
    /// as they are in the whole.
    private func added(by index: Int, of dialogue: Dialogue, to whole: [UInt8]) -> Range<Int>? {
        guard let opened = try? run(dialogue.first(index), addGenerationPrompt: true).utf8,
            let answered = try? run(dialogue.first(index + 1), addGenerationPrompt: false).utf8,
            opened.count <= answered.count, whole.starts(with: answered), whole.starts(with: opened)
        else { return nil }
        return opened.count..<answered.count
    }

    /// Where an answer is in a whole that writes earlier turns differently (EOS only at the very end, a system message in
    /// the last question, an opening that asks for thoughts): another text in the answer's place shows what the template
    /// writes around it, and one in that of the turn before it how the assistant's turn is opened.
    private func found(_ index: Int, of dialogue: Dialogue, in whole: [UInt8]) -> Range<Int>? {
        guard index > 0 else { return nil }
        var changed = dialogue
        changed.messages[index].mark()
        guard let around = try? run(changed, addGenerationPrompt: false).split(at: ChatMessage.mark),
            let alone = try? run(changed.first(index + 1), addGenerationPrompt: false).split(at: ChatMessage.mark)
        else { return nil }
        changed.messages[index - 1].mark()
        guard
            let opening = try? run(changed.first(index), addGenerationPrompt: true).split(at: ChatMessage.mark)?.after
        else { return nil }
        let (before, after) = (Array(around.before.utf8), Array(around.after.utf8))
        guard whole.starts(with: before), whole.hasSuffix(after),
            before.count + after.count <= whole.count,
            let start = start(of: before, opening) ?? divergence(index, of: dialogue, from: whole, upTo: before.count),
            case let ending = commonPrefix(alone.after, around.after),
            ending > 0 || alone.after.allSatisfy(\.isWhitespace)
        else { return nil }
        return start..<whole.count - after.count + ending
    }

    /// The start of the assistant's turn in the text before an answer.
    private func start(of before: [UInt8], _ opening: String) -> Int? {
        let bytes = Array(opening.utf8)
        if before.hasSuffix(bytes) { return before.count }
        // The space that some templates put between an opening and an answer is a part of its first token.
        let spaces = before.reversed().prefix { $0 == 0x0A || $0 == 0x20 }.count
        if before.dropLast(spaces).hasSuffix(bytes) { return before.count - spaces }
        // An opening that goes on, for example with <think>, where the template leaves this out of answers.
        let ends = tokenizer.encode(opening).byteRanges.map(\.upperBound)
        return ends.contains { before.hasSuffix(bytes[..<$0]) } ? before.count : nil
    }

    /// Where the whole leaves the conversation before an answer within the opening of the assistant's turn, for example where
    /// the opening asks for thoughts and the answer says that there are none: the rest the model has to write.
    private func divergence(
        _ index: Int, of dialogue: Dialogue, from whole: [UInt8], upTo end: Int
    ) -> Int? {
        guard let opened = try? run(dialogue.first(index), addGenerationPrompt: true),
            let closed = try? run(dialogue.first(index), addGenerationPrompt: false)
        else { return nil }
        let text = String(decoding: whole, as: UTF8.self)
        let (a, b) = (tokenizer.encode(opened), tokenizer.encode(text))
        let count = zip(a.ids, b.ids).prefix { $0 == $1 }.count
        guard count > 0, case let place = b.byteRanges[count - 1].upperBound, place <= end else { return nil }
        let outside = zip(opened.utf8, closed.utf8).prefix { $0 == $1 }.count
        return place > outside ? place : nil
    }

    /// The bytes of the tokens that two texts begin with: `</s>` and `<|user|>` have none in common.
    private func commonPrefix(_ a: String, _ b: String) -> Int {
        if b.utf8.starts(with: a.utf8) { return a.utf8.count }
        let (a, b) = (tokenizer.encode(a), tokenizer.encode(b))
        let count = zip(a.ids, b.ids).prefix { $0 == $1 }.count
        return count > 0 ? a.byteRanges[count - 1].upperBound : 0
    }
}
