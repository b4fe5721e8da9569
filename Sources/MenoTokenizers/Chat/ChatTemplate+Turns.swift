package import MenoFormats

/// The positions of single turns in a rendered conversation.
extension ChatTemplate {
    /// The UTF-8 bytes that a turn is written in: of the assistant's, what it writes with the token that ends the turn; of
    /// others, all that they add. `nil` where this is not known.
    /// - Parameter chat: what ``render(_:variables:addGenerationPrompt:)`` made of the conversation.
    package func ranges(
        ofTurn index: Int, of messages: [ChatMessage], variables: [JSONValue.Member] = [], in chat: ChatText
    ) -> [Range<Int>]? {
        guard messages[index].role == .assistant else {
            return other(index, of: messages, variables, in: Array(chat.text.utf8)).map { [$0] }
        }
        guard let completions = chat.completions else { return nil }
        let answers = messages.indices.filter { messages[$0].role == .assistant }
        if completions.count == answers.count, let place = answers.firstIndex(of: index) {
            return [completions[place]]
        }
        // Turns that a template writes in several parts, or without a mark: the conversation up to a turn has its share.
        let count = { (end: Int) -> Int? in
            end == 0 ? 0 : try? render(Array(messages[..<end]), variables: variables).completions?.count
        }
        guard let before = count(index), let after = count(index + 1), before <= after, after <= completions.count
        else { return nil }
        return Array(completions[before..<after])
    }

    private func other(
        _ index: Int, of messages: [ChatMessage], _ variables: [JSONValue.Member], in whole: [UInt8]
    ) -> Range<Int>? {
        let bytes = { (end: Int) -> [UInt8]? in
            end == 0 ? [] : (try? render(Array(messages[..<end]), variables: variables).text.utf8).map(Array.init)
        }
        if let before = bytes(index), let after = bytes(index + 1), after.count > before.count,
            after.starts(with: before),
            whole.starts(with: after)
        {
            return before.count..<after.count
        }
        var changed = messages
        changed[index].mark()
        guard let around = try? render(changed, variables: variables).text.split(at: ChatMessage.mark) else {
            return nil
        }
        let (before, after) = (Array(around.before.utf8), Array(around.after.utf8))
        guard before.count + after.count <= whole.count, whole.starts(with: before), whole.hasSuffix(after) else {
            return nil
        }
        return before.count..<whole.count - after.count
    }
}
