internal import MenoFormats
internal import MenoTokenizers

/// What was found while records became examples.
package struct PreparationFindings: Codable, Sendable {
    /// Of the records themselves, and of what became of them.
    private var reading = DataReport()
    private var building = DataReport()
    private var repeatedKeys: [String: RepeatedKey] = [:]
    package private(set) var notes = ExampleBuilder.Notes()
    /// What all dialogues have in common; `nil` where there is none.
    package private(set) var shared: SharedContext?
    /// What fit records are like, until it is summed up.
    private var tally: DataTally? = DataTally()
    private var summedUp: DataSummary?

    private struct RepeatedKey: Codable {
        var count: Int
        var first: String
    }

    /// - Parameter memberTrials: see ``ExampleBuilder/Notes/init(memberTrials:)``.
    package init(memberTrials: Int? = nil) { notes = ExampleBuilder.Notes(memberTrials: memberTrials) }

    /// Records seen.
    package var total: Int { reading.total }

    /// Notes a record, and makes its examples.
    mutating func examples(of decoded: DecodedRecord, at place: String, _ builder: ExampleBuilder) throws -> [Example] {
        guard let record = note(decoded, at: place) else { return [] }
        return try builder.examples(from: record, report: &building, &notes)
    }

    /// Notes a record.
    /// - Returns: the record, where it is fit.
    mutating func note(_ decoded: DecodedRecord, at place: String) -> Record? {
        reading.total += 1
        for key in decoded.repeatedKeys { note(RepeatedKey(count: 1, first: place), key) }
        if let problem = decoded.problem { reading.problems.append(problem) }
        guard let record = decoded.record else { return nil }
        if record.isDialogue { add(SharedContext(of: CollectionOfOne(record))) }
        tally?.add(record)
        return record
    }

    private mutating func note(_ found: RepeatedKey, _ key: String) {
        let before = repeatedKeys[key]
        repeatedKeys[key] = RepeatedKey(count: (before?.count ?? 0) + found.count, first: before?.first ?? found.first)
    }

    private mutating func add(_ other: SharedContext) {
        if shared == nil { shared = other } else { shared?.intersect(other) }
    }

    /// What the fit records are like.
    package var summary: DataSummary { summedUp ?? (tally ?? DataTally()).summary }

    /// Ends the counting. The summary alone stays, without the fingerprint of every record.
    mutating func sumUp() {
        summedUp = summary
        tally = nil
    }

    /// Ends the counting.
    mutating func removeTally() -> DataTally {
        defer { tally = nil }
        return tally ?? DataTally()
    }

    /// Adds what was found in the records that come next.
    mutating func add(_ other: PreparationFindings) {
        reading.add(other.reading)
        building.add(other.building)
        for (key, found) in other.repeatedKeys { note(found, key) }
        notes.add(other.notes)
        if let context = other.shared { add(context) }
        if let counted = other.tally { tally?.add(counted) }
    }

    /// The whole report, as a user sees it.
    package var report: DataReport {
        var report = reading
        for (key, found) in repeatedKeys.sorted(by: { $0.key < $1.key }) {
            report.remarks.append(
                "the key \"\(key)\" stands twice in one object (records: \(found.count), the first: \(found.first)); "
                    + "the last value is used.")
        }
        report.add(building)
        return report
    }

    /// What was found before any example was made.
    var readingReport: DataReport { reading }
}

extension SharedContext: Codable {
    private enum CodingKeys: CodingKey { case opening, variables }

    /// As the JSON that records have.
    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        let turns = opening.map { message in
            JSONValue.object(
                [.init("role", .string(message.role.rawValue)), .init("content", message.contentValue)]
                    + message.members)
        }
        try values.encode(JSONValue.array(turns).description, forKey: .opening)
        try values.encode(JSONValue.object(variables).description, forKey: .variables)
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let opening = try JSONReader.value(of: values.decode(String.self, forKey: .opening))
        self.init(
            opening: try DialogueDecoder(key: "opening").turns(opening),
            variables: try JSONReader.value(of: values.decode(String.self, forKey: .variables)).object ?? [])
    }
}

extension ChatMessage {
    fileprivate var contentValue: JSONValue {
        switch form {
        case .text: .string(content)
        case .null, .absent: .null
        case .parts(let parts): .array(parts)
        }
    }
}
