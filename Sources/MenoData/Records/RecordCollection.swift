/// What has been read of a source.
struct RecordCollection {
    private var records: [Record] = []
    private var report = DataReport()
    private var repeated: [String: (count: Int, first: String)] = [:]
    /// Where records were met first; `nil` where those that repeat them are used.
    private var places: [UInt64: String]?

    init(dropsDuplicates: Bool = false) { places = dropsDuplicates ? [:] : nil }

    mutating func add(_ decoded: DecodedRecord, at place: String) {
        report.total += 1
        for key in decoded.repeatedKeys {
            repeated[key] = (1 + (repeated[key]?.count ?? 0), repeated[key]?.first ?? place)
        }
        if let record = decoded.record {
            let fingerprint = places == nil ? 0 : record.fingerprint
            if let first = places?[fingerprint] {
                report.problems.append(.init(place: place, kind: .duplicate, reason: "repeats \(first)."))
            } else {
                places?[fingerprint] = place
                records.append(record)
            }
        }
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
