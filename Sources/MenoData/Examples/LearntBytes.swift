internal import MenoTokenizers

/// Which bytes of an example's text are learnt.
struct LearntBytes {
    /// What the assistant writes, as far as it is to be learnt: ascending.
    var completions: [Range<Int>]
    /// What is never learnt, whatever the target is: turns with `"weight": 0`.
    var withheld: [Range<Int>] = []

    /// Whether a token is a part of a completion: a token belongs to it if any of its bytes does.
    func isCompletion(_ token: Range<Int>) -> Bool {
        completions.contains {
            token.lowerBound < $0.upperBound && $0.lowerBound < token.upperBound || Self.isAt(token, $0)
        }
    }

    /// Whether nothing of a token may be learnt.
    func isWithheld(_ token: Range<Int>) -> Bool {
        withheld.contains { $0.lowerBound <= token.lowerBound && token.upperBound <= $0.upperBound }
    }

    /// The first token that begins before a completion and ends within it.
    func merged(_ tokens: [Range<Int>]) -> Int? {
        tokens.firstIndex { token in
            completions.contains { token.lowerBound < $0.lowerBound && $0.lowerBound < token.upperBound }
        }
    }

    /// A token without bytes, such as an EOS that was appended, is a part of what it stands in or before.
    private static func isAt(_ token: Range<Int>, _ completion: Range<Int>) -> Bool {
        token.isEmpty && completion.contains(token.lowerBound)
    }
}

extension ExampleBuilder {
    enum Unknown: Error {
        /// The template writes the answers in such a way that they are not found.
        case completions
        /// The same of a turn that is not to be learnt.
        case turn(Int)
    }

    /// What is learnt of a dialogue.
    /// - Throws: ``Unknown`` where it matters and cannot be told.
    func learntBytes(
        of messages: [ChatMessage], in chat: ChatText, template: ChatTemplate, record: Record
    ) throws(Unknown) -> LearntBytes {
        let ranges = { (index: Int) throws(Unknown) -> [Range<Int>] in
            let ranges = template.ranges(ofTurn: index, of: messages, variables: variables(of: record), in: chat)
            guard let ranges else { throw .turn(index) }
            return ranges
        }
        let withheld = messages.indices.filter { !messages[$0].carriesLoss }
        let answers = messages.indices.filter { messages[$0].role == .assistant && $0 >= record.promptTurns }
        switch lossTarget {
        case .all:
            var bytes = LearntBytes(completions: chat.completions ?? [])
            for index in withheld { bytes.withheld += try ranges(index) }
            bytes.completions.removeAll { completion in bytes.withheld.contains { $0.contains(completion.lowerBound) } }
            return bytes
        case .completions, .lastCompletion:
            guard let completions = chat.completions else { throw .completions }
            let learnt = (lossTarget == .completions ? answers : answers.suffix(1)).filter { messages[$0].carriesLoss }
            if withheld.isEmpty, record.promptTurns == 0, lossTarget == .completions {
                return LearntBytes(completions: completions)
            }
            var bytes = LearntBytes(completions: [])
            for index in learnt { bytes.completions += try ranges(index) }
            return bytes
        }
    }
}
