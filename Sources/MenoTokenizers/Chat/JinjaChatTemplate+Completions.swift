internal import Foundation

/// Which part of a rendered dialogue the assistant writes, where a template does not mark it.
extension JinjaChatTemplate {
    /// The UTF-8 bytes of the answers, with the token that ends each; `nil` where it is not known of some answer.
    func completions(_ messages: [ChatMessage], in text: String) -> [Range<Int>]? {
        let bytes = Array(text.utf8)
        var completions: [Range<Int>] = []
        for (index, message) in messages.enumerated() where message.role == .assistant {
            guard let range = added(by: index, of: messages, to: bytes) ?? found(index, of: messages, in: bytes) else {
                return nil
            }
            // The line end behind the token that ends a turn belongs to nobody.
            let spaces = bytes[range].reversed().prefix { $0 == 0x0A || $0 == 0x20 }.count
            completions.append(range.lowerBound..<range.upperBound - spaces)
        }
        return completions
    }

    /// What an answer adds to the conversation before it with the opening of the assistant's turn, where both are written
    /// as they are in the whole.
    private func added(by index: Int, of messages: [ChatMessage], to whole: [UInt8]) -> Range<Int>? {
        guard let opened = try? run(Array(messages[..<index]), addGenerationPrompt: true).utf8,
            let answered = try? run(Array(messages[...index]), addGenerationPrompt: false).utf8,
            opened.count <= answered.count, whole.starts(with: answered), whole.starts(with: opened)
        else { return nil }
        return opened.count..<answered.count
    }

    /// Where an answer is in a whole that writes earlier turns differently (EOS only at the very end, a system message in
    /// the last question, an opening that asks for thoughts): another text in the answer's place shows what the template
    /// writes around it, and one in that of the question before it how the assistant's turn is opened.
    private func found(_ index: Int, of messages: [ChatMessage], in whole: [UInt8]) -> Range<Int>? {
        guard index > 0 else { return nil }
        var changed = messages
        changed[index].content = Self.mark
        guard let around = try? run(changed, addGenerationPrompt: false).split(at: Self.mark),
            let alone = try? run(Array(changed[...index]), addGenerationPrompt: false).split(at: Self.mark)
        else { return nil }
        changed[index - 1].content = Self.mark
        guard let opening = try? run(Array(changed[..<index]), addGenerationPrompt: true).split(at: Self.mark)?.after
        else { return nil }
        let (before, after) = (Array(around.before.utf8), Array(around.after.utf8))
        guard whole.starts(with: before), whole.reversed().starts(with: after.reversed()),
            before.count + after.count <= whole.count, let start = start(of: before, opening),
            case let ending = commonPrefix(alone.after, around.after),
            ending > 0 || alone.after.allSatisfy(\.isWhitespace)
        else { return nil }
        return start..<whole.count - after.count + ending
    }

    /// No text holds it, and nothing that templates do to texts changes it.
    private static let mark = "\u{F0000}\u{10FFFD}\u{F0000}"

    /// Where the assistant's turn begins in what the template writes before an answer.
    private func start(of before: [UInt8], _ opening: String) -> Int? {
        let bytes = Array(opening.utf8)
        if before.ends(with: bytes) { return before.count }
        // The space that some templates put between an opening and an answer is a part of its first token.
        let spaces = before.reversed().prefix { $0 == 0x0A || $0 == 0x20 }.count
        if before.dropLast(spaces).ends(with: bytes) { return before.count - spaces }
        // An opening that goes on, for example with <think>, where the template leaves this out of answers.
        let ends = tokenizer.encode(opening).byteRanges.map(\.upperBound)
        return ends.contains { before.ends(with: bytes[..<$0]) } ? before.count : nil
    }

    /// The bytes of the tokens that two texts begin with: `</s>` and `<|user|>` have none in common.
    private func commonPrefix(_ a: String, _ b: String) -> Int {
        if b.utf8.starts(with: a.utf8) { return a.utf8.count }
        let (a, b) = (tokenizer.encode(a), tokenizer.encode(b))
        let count = zip(a.ids, b.ids).prefix { $0 == $1 }.count
        return count > 0 ? a.byteRanges[count - 1].upperBound : 0
    }
}

extension String {
    /// What stands before and behind the only place of `mark`.
    fileprivate func split(at mark: String) -> (before: String, after: String)? {
        let parts = components(separatedBy: mark)
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
}

extension BidirectionalCollection<UInt8> {
    fileprivate func ends(with suffix: some BidirectionalCollection<UInt8>) -> Bool {
        reversed().starts(with: suffix.reversed())
    }
}
