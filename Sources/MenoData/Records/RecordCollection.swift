/// What has been read of a source.
struct RecordCollection {
    private var records: [Record] = []
    private var report = DataReport()
    private var repeated: [String: (count: Int, first: String)] = [:]
    /// `nil` where records that repeat others are used.
    private var duplicates: DuplicateRecords?

    init(dropsDuplicates: Bool = false) { duplicates = dropsDuplicates ? DuplicateRecords() : nil }

    mutating func add(_ decoded: DecodedRecord, at place: String) {
        let decoded = duplicates?.marked(decoded, at: place) ?? decoded
        report.total += 1
        for key in decoded.repeatedKeys {
            repeated[key] = (1 + (repeated[key]?.count ?? 0), repeated[key]?.first ?? place)
        }
        if let record = decoded.record { records.append(record) }
        if let problem = decoded.problem { report.problems.append(problem) }
    }

    var finished: (records: [Record], report: DataReport) {
        var report = report
        for (key, found) in repeated.sorted(by: { $0.key < $1.key }) {
            report.remarks.append(
                "the key \"\(key)\" stands twice in one object (records: \(found.count), the first: \(found.first)); "
                    + "the last value is used.")
        }
        return (records, report)
    }
}

/// Finds records that repeat earlier ones, but for white space.
struct DuplicateRecords {
    /// Where records were met first.
    private var places: [UInt64: String] = [:]

    /// The record, or, where it repeats another one, that it does.
    mutating func marked(_ decoded: DecodedRecord, at place: String) -> DecodedRecord {
        guard let fingerprint = decoded.record?.fingerprint else { return decoded }
        guard let first = places[fingerprint] else {
            places[fingerprint] = place
            return decoded
        }
        var decoded = decoded
        decoded.record = nil
        decoded.problem = .init(place: place, kind: .duplicate, reason: "repeats \(first).")
        return decoded
    }
}
