package import MenoFormats
package import MenoTokenizers

/// What every dialogue of a data set is written with beside its own turns. Who asks the model something in the same form asks
/// it as it was trained.
package struct SharedContext: Sendable, Hashable {
    /// The system turn that all dialogues begin with.
    package var opening: [ChatMessage] = []
    /// What all of them give the template, such as `tools` or `enable_thinking`.
    package var variables: [JSONValue.Member] = []

    package init(opening: [ChatMessage] = [], variables: [JSONValue.Member] = []) {
        self.opening = opening
        self.variables = variables
    }

    /// Of the dialogues among some records.
    package init(of records: some Sequence<Record>) {
        var isFirst = true
        for record in records {
            guard case .dialogue(let messages) = record.content else { continue }
            let context = SharedContext(
                opening: messages.first.map { $0.role == .system ? [$0] : [] } ?? [], variables: record.variables)
            if isFirst { self = context } else { intersect(context) }
            isFirst = false
        }
    }

    /// Keeps what other dialogues have, too.
    mutating func intersect(_ other: SharedContext) {
        if other.opening != opening { opening = [] }
        variables.removeAll { !other.variables.contains($0) }
    }
}

extension Record {
    /// The record with a system turn before a dialogue that has none.
    package func with(system: String?) -> Record {
        guard let system, case .dialogue(let messages) = content, messages.first?.role != .system else { return self }
        var record = self
        record.content = .dialogue([ChatMessage(.system, system)] + messages)
        if case .dialogue(let others)? = rejected {
            record.rejected = .dialogue([ChatMessage(.system, system)] + others)
        }
        if promptTurns > 0 { record.promptTurns += 1 }
        return record
    }
}
