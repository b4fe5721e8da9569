/// Examples of which only lengths, sources and hashes are in memory. Those that are asked for are made again from their records,
/// which means reading the source once more: for a few of many, such as those that an evaluation chooses.
package final class ExampleOutline: ExampleSource {
    private let preparation: ExamplePreparation
    private let sources: RecordSources
    private let lines: [Line]
    private let names: [String]

    fileprivate struct Line {
        var hash: UInt64
        /// The number of the record, and how many examples of the same record come before.
        var record: UInt32
        var part: UInt8
        var ids: UInt32
        var rejected: UInt32
        /// 0: none; else its place in the list of names, counted from 1.
        var source: UInt32
    }

    fileprivate init(_ preparation: ExamplePreparation, _ sources: RecordSources, _ collector: Collector) {
        (self.preparation, self.sources) = (preparation, sources)
        (lines, names) = (collector.lines, collector.names)
    }

    package var count: Int { lines.count }
    package func lengths(at position: Int) -> ExampleLengths {
        ExampleLengths(ids: Int(lines[position].ids), rejected: Int(lines[position].rejected))
    }
    package func source(at position: Int) -> String? {
        lines[position].source > 0 ? names[Int(lines[position].source) - 1] : nil
    }
    package func contentHash(at position: Int) -> UInt64 { lines[position].hash }
    package func example(at position: Int) throws -> Example { try examples(at: [position])[0] }

    package func examples(at positions: [Int]) throws -> [Example] {
        let wanted = Dictionary(grouping: positions) { Int(lines[$0].record) }
        guard let last = wanted.keys.max() else { return [] }
        var found: [Int: Example] = [:]
        var reader = try sources.records()
        for number in 0...last {
            guard let raw = try reader.next() else { throw changed("record \(number)") }
            guard let asked = wanted[number] else { continue }
            let examples = try examples(of: raw)
            for position in asked {
                let part = Int(lines[position].part)
                guard part < examples.count, examples[part].contentHash == lines[position].hash else {
                    throw changed(raw.place.description)
                }
                found[position] = examples[part]
            }
        }
        return positions.compactMap { found[$0] }
    }

    private func examples(of raw: RawRecord) throws -> [Example] {
        guard let record = preparation.pass.decoder.decode(raw).record else { return [] }
        var (report, notes) = (DataReport(), ExampleBuilder.Notes(memberTrials: 0))
        return try preparation.builder.examples(
            from: record.with(system: preparation.system), report: &report, &notes)
    }

    private func changed(_ place: String) -> DataError {
        DataError(
            .changed, at: sources.place, "changed while it was read: \(place) is not what it was.",
            advice: "Wait until whatever writes it has finished.")
    }

    /// Keeps examples while they are few, and then their outline.
    fileprivate struct Collector {
        private(set) var examples: [Example]? = []
        private(set) var lines: [Line] = []
        private(set) var names: [String] = []
        private var numbers: [String: UInt32] = [:]
        private var tokens = 0
        let limit: Int

        init(limit: Int) { self.limit = limit }

        mutating func add(_ chunk: ExamplePreparation.Chunk) {
            for (example, record) in zip(chunk.examples, chunk.origins) {
                add(example, record)
                tokens += example.tokenCount
            }
            if tokens > limit { examples = nil }
            examples? += chunk.examples
        }

        private mutating func add(_ example: Example, _ record: Int) {
            let last = lines.last.flatMap { $0.record == UInt32(record) ? $0 : nil }
            var source: UInt32 = 0
            if let name = example.source {
                if numbers[name] == nil {
                    names.append(name)
                    numbers[name] = UInt32(names.count)
                }
                source = numbers[name] ?? 0
            }
            lines.append(
                Line(
                    hash: example.contentHash, record: UInt32(record), part: last.map { $0.part + 1 } ?? 0,
                    ids: UInt32(example.ids.count), rejected: UInt32(example.preference?.rejected?.count ?? 0),
                    source: source))
        }
    }
}

extension ExamplePreparation {
    /// The first examples of some sources, which are read no further.
    /// - Throws: ``DataError`` where there is none.
    package func first(_ limit: Int, of sources: RecordSources) throws -> [Example] {
        var reader = try sources.records()
        var examples: [Example] = []
        var findings = PreparationFindings()
        while examples.count < limit, let raw = try reader.next() {
            examples += try findings.examples(of: pass.decoder.decode(raw), at: raw.place.description, builder)
        }
        findings.sumUp()
        _ = try PreparedExamples(examples: examples, findings: findings).report(builder, path: sources.place)
        return Array(examples.prefix(limit))
    }

    /// The examples of all records, of which no more than an outline is in memory where they are many. Texts are not cut into
    /// blocks.
    /// - Parameter limit: tokens of all examples up to which they are kept.
    package func outline(
        of sources: RecordSources, limit: Int = 1 << 20, onProgress: (Progress) throws -> Void = { _ in }
    ) throws -> PreparedExamples {
        var collector = ExampleOutline.Collector(limit: limit)
        var findings = PreparationFindings()
        var progress = Progress()
        try pass.run(try sources.records(), work: chunk) { chunk in
            collector.add(chunk)
            findings.add(chunk.findings)
            progress.add(chunk)
            try onProgress(progress)
        }
        findings.sumUp()
        return PreparedExamples(
            examples: collector.examples ?? ExampleOutline(self, sources, collector), findings: findings)
    }
}
