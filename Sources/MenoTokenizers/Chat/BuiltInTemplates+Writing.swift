internal import MenoJinja

extension BuiltInTemplate {
    /// Beyond it the template runs, which has limits of its own.
    private static let sizeLimit = 1 << 20

    /// What the template writes of turns that are texts, faster than by running it: the built-in templates also show where
    /// the answers are in what the models' own templates write (``JinjaChatTemplate/completions(_:_:in:)``).
    /// - Returns: `nil` where it has to be run, for what it refuses too.
    func written(_ messages: [ChatMessage], addGenerationPrompt: Bool) -> (text: String, completions: [Range<Int>])? {
        guard messages.allSatisfy({ $0.form == .text }), let first = messages.first,
            messages.reduce(0, { $0 + $1.content.utf8.count }) < Self.sizeLimit
        else { return nil }
        var rest = messages[...]
        var text = ""
        var prefix = ""
        if turns.alternate {
            if first.role == .system {
                prefix = first.content + "\n\n"
                rest = rest.dropFirst()
            }
            for (index, message) in rest.enumerated() where (message.role == .user) != (index % 2 == 0) { return nil }
        }
        var completions: [Range<Int>] = []
        for message in rest {
            let isAnswer = message.role == .assistant
            text += opening
            text += isAnswer ? turns.assistant : message.role.rawValue
            text += turns.afterRole
            text += prefix
            prefix = ""
            let start = text.utf8.count
            text += turns.trims ? message.content.trimmedByTemplates : message.content
            text += ending
            if isAnswer { completions.append(start..<text.utf8.count) }
            text += turns.afterTurn
        }
        if addGenerationPrompt { text += opening + turns.assistant + turns.afterRole }
        return (text, completions)
    }
}
