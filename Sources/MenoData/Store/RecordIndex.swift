internal import Foundation
internal import MenoFormats

/// Where the records of a file lie that are fit to become examples, so that each is read when it is needed.
extension ExamplePreparation {
    /// The index of a file on the disk; where it is not there, or not whole, the file is read through.
    ///
    /// Parameters are those of ``store(in:key:reader:onWait:onStart:onProgress:)``.
    /// - Throws: ``NoPlaces`` where the source does not tell where its records lie.
    package func index(
        in cache: ExampleCache, key: String, reader: () throws -> any RecordReader, onWait: () throws -> Void = {},
        onStart: (Int) -> Void = { _ in }, onProgress: (Progress) throws -> Void = { _ in }
    ) throws -> ExampleStore {
        try cache.store(key, wait: onWait) { writer in
            onStart(writer.records)
            var progress = Progress(records: writer.records)
            try pass.run(try reader(), skipping: writer.records) {
                try indexed($0)
            } take: { chunk, bytes in
                let records = chunk.records
                try writer.append(chunk, sources: chunk.entries.map { _ in nil })
                progress.records += records
                progress.bytes += bytes
                try onProgress(progress)
            }
        }
    }

    /// A source whose records cannot be read one by one.
    package struct NoPlaces: Error {}

    private func indexed(_ records: RecordPass.Records) throws -> (StoreChunk, bytes: Int) {
        var findings = PreparationFindings()
        var entries: [StoreEntry] = []
        for (index, raw) in records.all.enumerated() {
            guard findings.note(records.decoded(index, by: pass.decoder), at: raw.place.description) != nil else {
                continue
            }
            guard let range = raw.range, case .json(let bytes) = raw.content, raw.place.file == nil,
                let size = UInt32(exactly: bytes.count), range.count == bytes.count
            else { throw NoPlaces() }
            let place = IndexedPlace(raw.place.entry)
            entries.append(
                StoreEntry(
                    offset: UInt64(range.lowerBound), hash: bytes.withUnsafeBytes { ContentHash.of($0) }, size: size,
                    ids: place.number, rejected: place.kind.rawValue, source: 0))
        }
        let chunk = StoreChunk(
            records: records.all.count, description: .init(findings: findings), entries: entries, payload: [],
            isOfOtherFile: true)
        return (chunk, records.bytes)
    }
}

/// What a record is called, as a number.
struct IndexedPlace {
    enum Kind: UInt32, CaseIterable {
        case line, record, other

        var name: String {
            switch self {
            case .line: "line "
            case .record: "record "
            case .other: "the record at byte "
            }
        }
    }

    var kind: Kind
    var number: UInt32

    init(_ text: String) {
        for kind in [Kind.line, .record] where text.hasPrefix(kind.name) {
            guard let number = UInt32(text.dropFirst(kind.name.count)) else { continue }
            (self.kind, self.number) = (kind, number)
            return
        }
        (kind, number) = (.other, 0)
    }

    init(_ entry: StoreEntry) {
        kind = Kind(rawValue: entry.rejected) ?? .other
        number = entry.ids
    }

    func text(_ entry: StoreEntry) -> String { kind.name + (kind == .other ? "\(entry.offset)" : "\(number)") }
}

/// The examples of a file's records, each made when it is asked for.
///
/// A record that turns out unfit, because the chat template refuses it or nothing of it carries loss, is replaced by the next
/// one that is fit: which example is where depends on nothing but the data.
package final class ExamplesOnDemand: ExampleSource {
    private let index: ExampleStore
    private let path: String
    private let decoder: RecordDecoder
    private let builder: ExampleBuilder
    private let descriptor: Int32

    /// - Parameters:
    ///   - index: of the file at `path`.
    ///   - preparation: makes the examples.
    /// - Throws: ``DataError`` where the file cannot be opened.
    package init(_ index: ExampleStore, path: String, _ preparation: ExamplePreparation) throws {
        (self.index, self.path) = (index, path)
        (decoder, builder) = (preparation.pass.decoder, preparation.builder)
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw DataError(.notFound, at: path, "cannot be read (\(String(cString: strerror(errno)))).")
        }
    }

    deinit { close(descriptor) }

    package var count: Int { index.count }
    package var hasTokens: Bool { false }
    package func lengths(at position: Int) -> ExampleLengths { ExampleLengths(ids: builder.maxLength) }
    package func source(at position: Int) -> String? { nil }
    package func contentHash(at position: Int) -> UInt64 { index.contentHash(at: position) }

    package func example(at position: Int) throws -> Example {
        for next in 0..<count {
            var report = DataReport()
            var notes = ExampleBuilder.Notes(memberTrials: 0)
            let raw = try record(at: (position + next) % count)
            guard let record = decoder.decode(raw).record else { throw changed(raw.place.entry) }
            if let example = try builder.examples(from: record, report: &report, &notes).first { return example }
        }
        throw DataError(.empty, at: path, "no record becomes an example.")
    }

    package func examples(at positions: [Int]) throws -> [Example] {
        let workers = positions.count > 4 ? ProcessInfo.processInfo.activeProcessorCount : 1
        return try ParallelWork.results(count: positions.count, workers: workers) {
            try self.example(at: positions[$0])
        }
        .map { try $0.get() }
    }

    private func record(at position: Int) throws -> RawRecord {
        let entry = index.entry(position)
        let place = IndexedPlace(entry).text(entry)
        var bytes = [UInt8](repeating: 0, count: Int(entry.size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + done, $0.count - done, off_t(Int(entry.offset) + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw changed(place) }
            done += count
        }
        guard bytes.withUnsafeBytes({ ContentHash.of($0) }) == entry.hash else { throw changed(place) }
        return RawRecord(place: RecordPlace(place), content: .json(bytes))
    }

    /// What was appended to the file, or that it lost its name, does not matter: its records are where they were.
    private func changed(_ place: String) -> DataError {
        DataError(
            .changed, at: path, "changed while the run was using it: \(place) is not what it was.",
            advice: "Resume the run with the file as it was, or begin a new one.")
    }
}
