/// What records became: in memory where they are few, else on the disk.
package struct PreparedExamples: Sendable {
    package var examples: any ExampleSource
    package var findings: PreparationFindings

    package init(examples: any ExampleSource, findings: PreparationFindings) {
        self.examples = examples
        self.findings = findings
    }

    /// What a user hears about all of them.
    /// - Throws: ``DataError`` where nothing is left, or a record is unfit and the builder's policy does not allow it.
    package func report(_ builder: ExampleBuilder, path: String) throws -> DataReport {
        let reading = findings.readingReport
        if builder.invalidPolicy == .stop { try reading.requireFitRecords(path: path) }
        guard reading.used > 0 else { throw reading.nothingUsable(at: path) }
        var report = findings.report
        if examples.hasTokens { try builder.conclude(findings.notes, examples, &report) }
        return report
    }
}

extension ExamplePreparation {
    /// What a preparation tells while it goes on.
    package struct Progress: Sendable {
        /// Records and bytes of the source that are done, and of these what another run had left.
        package var records = 0
        package var bytes = 0

        mutating func add(_ chunk: Chunk) {
            records += chunk.records
            bytes += chunk.bytes
        }
    }

    /// Makes all examples in memory.
    /// - Parameter onProgress: is called after each chunk; may throw.
    package func examples(
        of reader: any RecordReader, onProgress: (Progress) throws -> Void = { _ in }
    ) throws -> PreparedExamples {
        var examples: [Example] = []
        var findings = PreparationFindings()
        var progress = Progress()
        var blocks = blocks
        try pass.run(reader, work: chunk) { chunk in
            examples += blocks?.cut(chunk) ?? chunk.examples
            findings.add(chunk.findings)
            progress.add(chunk)
            try onProgress(progress)
        }
        if let last = blocks?.last() { examples.append(last) }
        findings.sumUp()
        return PreparedExamples(examples: examples, findings: findings)
    }

    /// The examples of a key on the disk; where they are not there, or not all of them, they are prepared.
    /// - Parameters:
    ///   - key: tells apart whatever changes an example.
    ///   - reader: opens the source, where it is needed.
    ///   - onWait: is called again and again while another process prepares the same; may throw.
    ///   - onStart: is called before records are read, with how many of them are prepared already.
    ///   - onProgress: is called after each chunk; may throw.
    package func store(
        in cache: ExampleCache, key: String, reader: () throws -> any RecordReader, onWait: () throws -> Void = {},
        onStart: (Int) -> Void = { _ in }, onProgress: (Progress) throws -> Void = { _ in }
    ) throws -> ExampleStore {
        try cache.store(key, wait: onWait) { writer in
            onStart(writer.records)
            var progress = Progress(records: writer.records)
            guard var blocks else {
                return try pass.run(try reader(), skipping: writer.records) { records in
                    let chunk = try self.chunk(records)
                    return (chunk: chunk, encoded: EncodedExamples(chunk.examples))
                } take: { chunk, encoded in
                    try writer.append(chunk, encoded, rest: nil)
                    progress.add(chunk)
                    try onProgress(progress)
                }
            }
            blocks.resume(writer.rest)
            try pass.run(try reader(), skipping: writer.records, work: chunk) { chunk in
                try writer.append(chunk, EncodedExamples(blocks.cut(chunk)), rest: blocks.rest)
                progress.add(chunk)
                try onProgress(progress)
            }
            guard let last = blocks.last() else { return }
            try writer.append(Chunk(records: 0, bytes: 0, examples: []), EncodedExamples([last]), rest: nil)
        }
    }
}

extension BlockBuilder {
    /// The documents of a chunk as blocks; other examples stay as they are.
    mutating func cut(_ chunk: ExamplePreparation.Chunk) -> [Example] {
        zip(chunk.examples, chunk.isDocument).flatMap { $1 ? blocks(with: $0) : [$0] }
    }
}

/// Examples as a store has them.
struct EncodedExamples: Sendable {
    /// Offsets count from the beginning of the payload.
    private(set) var entries: [StoreEntry] = []
    private(set) var sources: [String?] = []
    let payload: [UInt8]

    init(_ examples: [Example]) {
        var writer = ExampleWriter()
        for example in examples {
            let start = writer.bytes.count
            writer.write(example)
            entries.append(
                StoreEntry(
                    offset: UInt64(start), hash: example.contentHash, size: UInt32(writer.bytes.count - start),
                    ids: UInt32(example.ids.count), rejected: UInt32(example.preference?.rejected?.count ?? 0),
                    source: 0))
            sources.append(example.source)
        }
        payload = writer.bytes
    }
}

extension StoreWriter {
    func append(
        _ chunk: ExamplePreparation.Chunk, _ encoded: EncodedExamples, rest: BlockBuilder.Rest?
    ) throws {
        try append(
            StoreChunk(
                records: chunk.records, description: .init(findings: chunk.findings, rest: rest),
                entries: encoded.entries, payload: encoded.payload), sources: encoded.sources)
    }
}
