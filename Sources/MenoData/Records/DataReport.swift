/// What reading a data file found, record by record.
package struct DataReport: Sendable, Hashable, Codable {
    package struct Problem: Sendable, Hashable, Codable {
        package enum Kind: String, Sendable, Hashable, CaseIterable, Codable {
            case notUTF8 = "not UTF-8"
            case notJSON = "not JSON"
            case unknownShape = "unknown shape"
            /// Shows images, or what else is no text.
            case notText = "not only text"
            case raggedRow = "rows of another length"
            case otherVocabulary = "tokens of another vocabulary"
            case refusedByTemplate = "refused by the chat template"
            case empty = "empty"
            case duplicate = "duplicates"
            case tooLong = "too long"
            /// Cut, or left out, before any answer began.
            case lostAnswer = "too long, the answer lost"
            case noLoss = "nothing to learn"
            case noPair = "no pair"
            case equalSides = "chosen and rejected alike"
            case noLabel = "no label"
        }

        /// `line 12`, `record 3`
        package var place: String
        package var kind: Kind
        package var reason: String
        /// Whether the record is used all the same, cut to the length allowed.
        package var isUsed: Bool

        package init(place: String, kind: Kind, reason: String, isUsed: Bool = false) {
            self.place = place
            self.kind = kind
            self.reason = reason
            self.isUsed = isUsed
        }
    }

    /// Records seen.
    package var total = 0
    package var problems: [Problem] = []
    /// How many more there are of each kind than ``problems`` has: only the first ones of large data are kept.
    private var further: [Further] = []

    private struct Further: Hashable, Codable {
        var kind: Problem.Kind
        var isUsed: Bool
        var count: Int
    }

    /// Problems of a kind that are kept of large data.
    private static let keptProblems = 1000
    /// What is good to know of all records together, in whole sentences.
    package var remarks: [String] = []
    /// Dialogues that end in an answer, and those of them that no token ends at which generation stops.
    var answered = 0
    var unended = 0
    /// Examples that are equal to an earlier one.
    package internal(set) var repeated = 0

    package init() {}

    /// Adds what was found in the records that come next.
    package mutating func add(_ other: DataReport) {
        total += other.total
        remarks += other.remarks
        answered += other.answered
        unended += other.unended
        repeated += other.repeated
        var kept = Dictionary(
            uniqueKeysWithValues: counts.map { (Further(kind: $0.kind, isUsed: $0.isUsed, count: 0), $0.count) })
        for problem in other.problems {
            let key = Further(kind: problem.kind, isUsed: problem.isUsed, count: 0)
            if kept[key, default: 0] < Self.keptProblems {
                problems.append(problem)
                kept[key, default: 0] += 1
            } else {
                count(problem.kind, isUsed: problem.isUsed, 1)
            }
        }
        for more in other.further { count(more.kind, isUsed: more.isUsed, more.count) }
    }

    private mutating func count(_ kind: Problem.Kind, isUsed: Bool, _ count: Int) {
        if let place = further.firstIndex(where: { $0.kind == kind && $0.isUsed == isUsed }) {
            further[place].count += count
        } else {
            further.append(Further(kind: kind, isUsed: isUsed, count: count))
        }
    }

    /// Problems of a kind.
    package func count(of kind: Problem.Kind, isUsed: Bool) -> Int {
        problems.count { $0.kind == kind && $0.isUsed == isUsed }
            + further.reduce(0) { $1.kind == kind && $1.isUsed == isUsed ? $0 + $1.count : $0 }
    }

    /// Problems of a kind, whether their records are used or not.
    package func count(of kind: Problem.Kind) -> Int {
        count(of: kind, isUsed: true) + count(of: kind, isUsed: false)
    }

    /// - Throws: ``DataError`` where a record is left out that was not to be: those too long have a policy of their own.
    func requireFitRecords(path: String?) throws {
        let unfit = problems.filter { !$0.isUsed && ![.tooLong, .lostAnswer, .duplicate].contains($0.kind) }
        guard let first = unfit.first else { return }
        let count = counts.reduce(0) { sum, group in
            group.isUsed || [.tooLong, .lostAnswer, .duplicate].contains(group.kind) ? sum : sum + group.count
        }
        let more = count > 1 ? " (and \(count - 1) more)" : ""
        throw DataError(
            .invalidRecords, at: path, "\(first.place) \(first.reason)\(more)",
            advice: "Fix the file, or skip such records.", settings: [.onInvalid: "skip"])
    }

    /// That no record can be used.
    package func nothingUsable(at path: String) -> DataError {
        guard let first = problems.first else { return DataError(.empty, at: path, "holds no records.") }
        return DataError(
            .empty, at: path, "holds no usable record: \(summary). The first: \(first.place) \(first.reason)",
            advice: "Known shapes: \"messages\", \"conversations\", \"prompt\"/\"completion\", "
                + "\"prompt\"/\"chosen\"/\"rejected\", \"text\", \"instruction\"/\"output\", \"question\"/\"answer\".")
    }

    /// How many problems are not among ``problems``.
    package var furtherProblems: Int { further.reduce(0) { $0 + $1.count } }

    /// Records left out.
    package var skipped: Int { counts.reduce(0) { $1.isUsed ? $0 : $0 + $1.count } }
    package var used: Int { total - skipped }

    /// Problems by kind, the most frequent first.
    package var counts: [(kind: Problem.Kind, isUsed: Bool, count: Int)] {
        Problem.Kind.allCases.flatMap { kind in
            [false, true].map { used in (kind, used, count(of: kind, isUsed: used)) }
        }.filter { $0.2 > 0 }.sorted { $0.2 > $1.2 }
    }

    /// `2000 records: 1990 used (12 cut: too long), 10 left out (8 not JSON, 2 empty)`
    package var summary: String {
        let list = { (used: Bool, verb: String) in
            let parts = counts.filter { $0.isUsed == used }.map { "\(verb)\($0.count) \($0.kind.rawValue)" }
            return parts.isEmpty ? "" : " (\(parts.joined(separator: ", ")))"
        }
        let equal =
            repeated == 0 ? "" : "; \(repeated) \(repeated == 1 ? "repeats an earlier one" : "repeat earlier ones")"
        return "\(total) records: \(used) used\(list(true, "cut: ")), \(skipped) left out\(list(false, ""))\(equal)"
    }
}
