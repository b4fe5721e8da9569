internal import Foundation
internal import MenoFormats

/// Turns the records of a source into examples, on all cores, in their order.
///
/// Records are taken in chunks whose limits depend on nothing but the data, so that what becomes of them depends on no number
/// of workers.
package struct ExamplePreparation: Sendable {
    package var decoder: RecordDecoder
    package var builder: ExampleBuilder
    /// How texts are cut into blocks; `nil`: each is an example.
    package var blocks: BlockBuilder?
    /// Whether records that repeat an earlier one, but for white space, are left out.
    package var dropsDuplicates = false
    /// Threads that work at the same time.
    package var workers = ProcessInfo.processInfo.activeProcessorCount
    /// Bytes and records that a chunk has at most.
    var chunkSize = 256 << 10
    var chunkRecords = 1024

    package init(decoder: RecordDecoder, builder: ExampleBuilder) {
        self.decoder = decoder
        self.builder = builder
    }

    /// Everything that changes an example, beside the source.
    package var identity: [String] { builder.identity + [indexIdentity, blocks?.identity ?? "", "\(dropsDuplicates)"] }
    /// Everything that changes where records lie and which of them are fit.
    package var indexIdentity: String { "records 1 \(decoder)" }

    /// What some records in a row became.
    package struct Chunk: Sendable {
        package var records: Int
        /// In the source.
        package var bytes: Int
        package var examples: [Example]
        /// Which of the examples are documents that are still to be cut into blocks; empty: none.
        var isDocument: [Bool] = []
        package var findings = PreparationFindings()
    }

    /// Works on the records of a source, chunk by chunk.
    /// - Parameters:
    ///   - skipping: records at the beginning that are passed over.
    ///   - work: is called by the workers.
    ///   - take: is called with what became of one chunk after the other.
    /// - Throws: ``DataError`` where the source cannot be read on, and what the closures throw.
    func run<Result: Sendable>(
        _ reader: any RecordReader, skipping: Int = 0, work: @escaping @Sendable (Records) throws -> Result,
        take: (Result) throws -> Void
    ) throws {
        var chunks = Chunks(reader: reader, size: chunkSize, records: chunkRecords, count: skipping)
        var duplicates = dropsDuplicates ? DuplicateRecords() : nil
        for _ in 0..<skipping {
            guard let raw = try chunks.reader.next() else { break }
            _ = duplicates?.marked(decoder.decode(raw), at: raw.place.description)
        }
        // Several for each worker, so that none waits for the thread that reads.
        let ahead = 4 * max(1, workers)
        var marked: [Records] = []
        try ParallelWork.inOrder(workers: workers, ahead: ahead) {
            guard duplicates != nil else { return try chunks.next() }
            if marked.isEmpty {
                while marked.count < ahead, let chunk = try chunks.next() { marked.append(chunk) }
                try decode(&marked, &duplicates)
                marked.reverse()
            }
            return marked.popLast()
        } work: {
            try work($0)
        } take: {
            try take($0)
        }
    }

    /// Decodes records before they are worked on, to find those that repeat others.
    private func decode(_ chunks: inout [Records], _ duplicates: inout DuplicateRecords?) throws {
        let pieces = chunks
        let decoded = ParallelWork.results(count: pieces.count, workers: workers) { piece in
            pieces[piece].all.map { decoder.decode($0) }
        }
        for (piece, records) in decoded.enumerated() {
            chunks[piece].decoded = try zip(records.get(), chunks[piece].all).map { record, raw in
                duplicates?.marked(record, at: raw.place.description) ?? record
            }
        }
    }

    /// The examples of some records.
    @Sendable func chunk(_ records: Records) throws -> Chunk {
        var chunk = Chunk(records: records.all.count, bytes: records.bytes, examples: [])
        if records.start > 0 { chunk.findings = PreparationFindings(memberTrials: Self.laterTrials) }
        for (index, raw) in records.all.enumerated() {
            let decoded = records.decoded?[index] ?? decoder.decode(raw)
            let examples = try chunk.findings.examples(of: decoded, at: raw.place.description, builder)
            chunk.examples += examples
            guard builder.keepsTextsWhole else { continue }
            let isText = if case .text? = decoded.record?.content { true } else { false }
            chunk.isDocument += examples.map { _ in isText }
        }
        return chunk
    }

    /// What the first chunk found of members is looked at again in every other one, of a few records.
    private static let laterTrials = 2

    /// Some records in a row.
    struct Records: Sendable {
        var all: [RawRecord] = []
        /// What they are, where that had to be known before.
        var decoded: [DecodedRecord]?
        /// The number of the first one in the source.
        var start = 0
        /// In the source.
        var bytes = 0
    }

    /// Cuts a source into chunks of records.
    private struct Chunks {
        var reader: any RecordReader
        let size: Int
        let records: Int
        /// Records that have been read.
        var count: Int

        mutating func next() throws -> Records? {
            var chunk = Records(start: count)
            while chunk.bytes < size, chunk.all.count < records, let record = try reader.next() {
                chunk.bytes += record.size
                chunk.all.append(record)
            }
            count += chunk.all.count
            return chunk.all.isEmpty ? nil : chunk
        }
    }
}

extension RawRecord {
    /// About how many bytes it takes.
    fileprivate var size: Int {
        switch content {
        case .json(let bytes): bytes.count
        case .value(let value): value.approximateSize
        case .unreadable: 64
        }
    }
}

extension JSONValue {
    fileprivate var approximateSize: Int {
        switch self {
        case .string(let text): text.utf8.count + 16
        case .array(let values): values.reduce(16) { $0 + $1.approximateSize }
        case .object(let members): members.reduce(16) { $0 + $1.key.utf8.count + $1.value.approximateSize }
        default: 16
        }
    }
}
