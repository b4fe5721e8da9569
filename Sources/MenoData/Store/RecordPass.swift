internal import Foundation
internal import MenoFormats

/// Reads the records of a source from beginning to end and works on them on all cores, without holding them.
///
/// Records are taken in chunks whose limits depend only on the data, so that no result depends on the number of workers.
package struct RecordPass: Sendable {
    package var decoder: RecordDecoder
    /// Whether records that repeat an earlier one, but for white space, are left out.
    package var dropsDuplicates = false
    package var workers = ProcessInfo.processInfo.activeProcessorCount
    /// The most bytes and records of a chunk.
    var chunkSize = 256 << 10
    var chunkRecords = 1024

    package init(_ decoder: RecordDecoder) { self.decoder = decoder }

    /// Works on the records of a source, chunk by chunk.
    /// - Parameters:
    ///   - skipping: how many records at the beginning are passed over.
    ///   - work: is called by the workers.
    ///   - take: is called with the results, in the order of the chunks.
    /// - Throws: ``DataError`` where the source cannot be read further, and what the closures throw.
    package func run<Result: Sendable>(
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
            chunks[piece].known = try zip(records.get(), chunks[piece].all).map { record, raw in
                duplicates?.marked(record, at: raw.place.description) ?? record
            }
        }
    }

    /// Some records in a row.
    package struct Records: Sendable {
        package fileprivate(set) var all: [RawRecord] = []
        /// What they are, where that had to be known before.
        fileprivate var known: [DecodedRecord]?
        /// The number of the first one in the source.
        package fileprivate(set) var start = 0
        /// In the source.
        package fileprivate(set) var bytes = 0

        /// What one of ``all`` is.
        package func decoded(_ index: Int, by decoder: RecordDecoder) -> DecodedRecord {
            known?[index] ?? decoder.decode(all[index])
        }
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
