internal import MenoFormats
internal import MenoTokenizers

/// Counts what records say and nobody reads: neither the chat template nor the training.
///
/// Whether a template reads a member is found by leaving the member out: where the text changes, or the template refuses, it
/// is read.
struct MemberUse: Sendable, Codable {
    private struct Count: Codable {
        var records = 0
        var trials = 0
        var isRead = false
    }

    /// After so many records whose text stayed the same without a member, it counts as unread; 0: nothing is counted.
    var trialLimit = 32
    private var turns: [String: Count] = [:]
    private var variables: [String: Count] = [:]

    /// Notes what a dialogue says.
    /// - Parameter text: what the template wrote of it.
    mutating func note(
        _ messages: [ChatMessage], _ variables: [JSONValue.Member], template: ChatTemplate, text: String
    ) {
        guard trialLimit > 0 else { return }
        for key in Set(messages.lazy.flatMap(\.members).map(\.key)) where !DialogueDecoder.lossKeys.contains(key) {
            Self.count(key, in: &turns, trials: trialLimit) {
                let others = Self.without(key, messages)
                return try? template.render(others, variables: variables).text
            } isSame: {
                $0 == text
            }
        }
        for key in variables.map(\.key) {
            Self.count(key, in: &self.variables, trials: trialLimit) {
                try? template.render(messages, variables: variables.filter { $0.key != key }).text
            } isSame: {
                $0 == text
            }
        }
    }

    /// Notes what a text says beside it; nothing reads that.
    mutating func note(_ variables: [JSONValue.Member]) {
        for key in variables.map(\.key) { self.variables[key, default: Count()].records += 1 }
    }

    /// Adds what was counted of other records.
    mutating func add(_ other: MemberUse) {
        let sum = { (a: Count, b: Count) in
            Count(records: a.records + b.records, trials: a.trials + b.trials, isRead: a.isRead || b.isRead)
        }
        turns.merge(other.turns, uniquingKeysWith: sum)
        variables.merge(other.variables, uniquingKeysWith: sum)
    }

    /// Whether a template writes what a member of some turns says.
    static func isWritten(
        _ key: String, _ messages: [ChatMessage], _ variables: [JSONValue.Member], template: ChatTemplate, text: String
    ) -> Bool {
        (try? template.render(without(key, messages), variables: variables).text) != text
    }

    private static func without(_ key: String, _ messages: [ChatMessage]) -> [ChatMessage] {
        messages.map { message in
            var message = message
            message.members.removeAll { $0.key == key }
            return message
        }
    }

    private static func count(
        _ key: String, in counts: inout [String: Count], trials limit: Int, _ rendered: () -> String?,
        isSame: (String) -> Bool
    ) {
        var count = counts[key] ?? Count()
        count.records += 1
        if !count.isRead, count.trials < limit {
            count.trials += 1
            count.isRead = rendered().map { !isSame($0) } ?? true
        }
        counts[key] = count
    }

    /// What nobody read, in a sentence for turns and one for records.
    var remarks: [String] {
        [("members of turns", turns), ("members of records", variables)].compactMap { name, counts in
            let unread = counts.filter { !$0.value.isRead }.sorted { $0.key < $1.key }
            guard !unread.isEmpty else { return nil }
            let list = unread.map { "\"\($0.key)\" (\($0.value.records))" }.joined(separator: ", ")
            return
                "\(name) that neither the chat template nor the training reads, with how many records have them: \(list)."
        }
    }
}
