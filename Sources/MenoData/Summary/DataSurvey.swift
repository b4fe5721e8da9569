/// What there is to say about the records of some sources, read once and not kept.
package struct DataSurvey: Sendable {
    package let findings: PreparationFindings
    package let summary: DataSummary
    /// Of all fit records.
    private let fingerprints: FingerprintSet.Sorted

    /// - Throws: ``DataError`` where the sources cannot be read, or hold no usable record.
    package init(_ sources: RecordSources, decoder: RecordDecoder = RecordDecoder(format: .auto)) throws {
        var findings = PreparationFindings()
        try RecordPass(decoder).run(try sources.records()) { records in
            var found = PreparationFindings()
            for (index, raw) in records.all.enumerated() {
                _ = found.note(records.decoded(index, by: decoder), at: raw.place.description)
            }
            return found
        } take: {
            findings.add($0)
        }
        let tally = findings.removeTally()
        fingerprints = tally.fingerprints.sorted()
        summary = tally.summary(duplicates: fingerprints.repeatedCount)
        self.findings = findings
        guard summary.records > 0 else { throw findings.report.nothingUsable(at: sources.place) }
    }

    /// Records that are among others, too.
    package struct Leaks: Sendable {
        package var count = 0
        /// Records that were looked for.
        package var of = 0
        /// Of the first few that were found.
        package var places: [String] = []

        fileprivate mutating func add(_ other: Leaks) {
            count += other.count
            of += other.of
            places = Array((places + other.places).prefix(5))
        }
    }

    /// Which records of other sources are among these, but for white space.
    /// - Throws: ``DataError``, as ``init(_:decoder:)``.
    package func leaks(
        into others: RecordSources, decoder: RecordDecoder = RecordDecoder(format: .auto)
    ) throws -> Leaks {
        var leaks = Leaks()
        var report = DataReport()
        try RecordPass(decoder).run(try others.records()) { [fingerprints] records in
            var (found, report) = (Leaks(), DataReport())
            for index in records.all.indices {
                let decoded = records.decoded(index, by: decoder)
                report.total += 1
                if let problem = decoded.problem { report.problems.append(problem) }
                guard let record = decoded.record else { continue }
                let isKnown = fingerprints.contains(record.fingerprint)
                found.add(Leaks(count: isKnown ? 1 : 0, of: 1, places: isKnown ? [record.place] : []))
            }
            return (found, report)
        } take: { found, read in
            leaks.add(found)
            report.add(read)
        }
        guard leaks.of > 0 else { throw report.nothingUsable(at: others.place) }
        return leaks
    }
}
