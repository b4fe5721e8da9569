package import MenoFormats
package import MenoTokenizers

/// What every dialogue of a data set is written with beside its own turns. Who asks the model something in the same form asks
/// it as it was trained.
package struct SharedContext: Sendable, Hashable {
    /// The system turn that all dialogues begin with.
    package var opening: [ChatMessage] = []
    /// What all of them give the template, such as `tools` or `enable_thinking`.
    package var variables: [JSONValue.Member] = []

    /// Of the dialogues among some records.
    package init(of records: some Sequence<Record>) {
        var isFirst = true
        for record in records {
            guard case .dialogue(let messages) = record.content else { continue }
            let opening = messages.first.map { $0.role == .system ? [$0] : [] } ?? []
            if isFirst {
                (self.opening, variables) = (opening, record.variables)
            } else {
                if opening != self.opening { self.opening = [] }
                variables.removeAll { !record.variables.contains($0) }
            }
            isFirst = false
        }
    }
}

extension Record {
    /// The record with a system turn before a dialogue that has none.
    package func with(system: String?) -> Record {
        guard let system, case .dialogue(let messages) = content, messages.first?.role != .system else { return self }
        var record = self
        record.content = .dialogue([ChatMessage(.system, system)] + messages)
        if promptTurns > 0 { record.promptTurns += 1 }
        return record
    }
}
