/// What is counted of records for a ``DataSummary``, chunk by chunk.
package struct DataTally: Sendable, Hashable {
    var records = 0
    var pairs = 0
    var characters = Histogram()
    var turns = Histogram()
    var shapes: [String: Int] = [:]
    var sources: [String: Int] = [:]
    var languages: [String: Int] = [:]
    package internal(set) var fingerprints = FingerprintSet()

    package init() {}

    package mutating func add(_ record: Record) {
        records += 1
        if record.rejected != nil { pairs += 1 }
        var measure = TextMeasure()
        switch record.content {
        case .dialogue(let messages):
            for message in messages { measure.add(message.content) }
            turns.add(messages.count)
        case .completion(let prompt, let completion):
            measure.add(prompt)
            measure.add(completion)
        case .text(let text): measure.add(text)
        case .tokens: break
        }
        if case .tokens(let ids, _) = record.content {
            characters.add(ids.count)
        } else {
            characters.add(measure.characters)
        }
        shapes[record.content.shape, default: 0] += 1
        if let source = record.source { sources[source, default: 0] += 1 }
        if let script = measure.script { languages[script.name, default: 0] += 1 }
        fingerprints.add(record.fingerprint)
    }

    /// Adds what was counted of other records.
    package mutating func add(_ other: DataTally) {
        records += other.records
        pairs += other.pairs
        characters.add(other.characters)
        turns.add(other.turns)
        shapes.merge(other.shapes, uniquingKeysWith: +)
        sources.merge(other.sources, uniquingKeysWith: +)
        languages.merge(other.languages, uniquingKeysWith: +)
        fingerprints.add(other.fingerprints)
    }

    package var summary: DataSummary { summary(duplicates: fingerprints.sorted().repeatedCount) }

    /// - Parameter duplicates: how many ``fingerprints`` repeat others.
    package func summary(duplicates: Int) -> DataSummary {
        DataSummary(
            records: records, characters: characters.spread, turns: turns.spread, pairs: pairs,
            shapes: Self.shares(shapes), sources: Self.shares(sources), languages: Self.shares(languages),
            duplicates: duplicates)
    }

    private static func shares(_ counts: [String: Int]) -> [DataSummary.Share] {
        counts.map { DataSummary.Share(name: $0.key, records: $0.value) }
            .sorted { ($1.records, $0.name) < ($0.records, $1.name) }
    }
}

extension Record.Content {
    fileprivate var shape: String {
        switch self {
        case .dialogue: "dialogue"
        case .completion: "completion"
        case .text: "text"
        case .tokens: "tokens"
        }
    }
}
