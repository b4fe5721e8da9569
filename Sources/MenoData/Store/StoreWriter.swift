internal import Foundation
internal import MenoFormats

/// A chunk of examples as it is written.
struct StoreChunk: Sendable {
    static let fileName = "examples.bin"
    private static let magic: UInt64 = 0x3230_5845_4F4E_454D  // MENOEX02
    private static let headerSize = 40

    /// What is known of the chunk beside its examples.
    struct Description: Codable, Sendable {
        var findings: PreparationFindings
        /// Sources that no chunk before has.
        var newSources: [String] = []
        /// Tokens of a document that goes on in the next chunk.
        var rest: BlockBuilder.Rest?
    }

    var records: Int
    var description: Description
    /// Their offsets count from the first byte of ``payload``, unless it is of another file that they tell.
    var entries: [StoreEntry]
    var payload: [UInt8]
    var isOfOtherFile = false

    /// Header, description, entries, payload.
    func bytes(at offset: Int) throws -> [UInt8] {
        let description = try JSONEncoder().encode(description)
        let start = offset + Self.headerSize + description.count + entries.count * StoreEntry.size
        var body: [UInt8] = []
        body.reserveCapacity(description.count + entries.count * StoreEntry.size + payload.count)
        body += description
        for var entry in entries {
            if !isOfOtherFile { entry.offset += UInt64(start) }
            entry.append(to: &body)
        }
        body += payload
        var header: [UInt8] = []
        let checksum = body.withUnsafeBytes { ContentHash.of($0) }
        let words = [
            Self.magic, UInt64(records), UInt64(description.count) << 32 | UInt64(entries.count),
            UInt64(payload.count), checksum,
        ]
        for word in words { withUnsafeBytes(of: word.littleEndian) { header.append(contentsOf: $0) } }
        return header + body
    }

    /// A chunk that was written; `nil` where it is not whole.
    static func read(_ descriptor: Int32, at offset: Int) -> (chunk: StoreChunk, entries: [UInt8], end: Int)? {
        guard let header = bytes(descriptor, offset, headerSize) else { return nil }
        let words = header.withUnsafeBytes { header in
            (0..<5).map { UInt64(littleEndian: header.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
        }
        let (descriptionSize, count) = (Int(words[2] >> 32), Int(words[2] & 0xFFFF_FFFF))
        guard words[0] == magic, let records = Int(exactly: words[1]), let payloadSize = Int(exactly: words[3]),
            payloadSize < 1 << 40,
            let body = bytes(
                descriptor, offset + headerSize, descriptionSize + count * StoreEntry.size + payloadSize),
            body.withUnsafeBytes({ ContentHash.of($0) }) == words[4],
            let description = try? JSONDecoder().decode(
                Description.self, from: Data(body[..<descriptionSize]))
        else { return nil }
        return (
            StoreChunk(records: records, description: description, entries: [], payload: []),
            Array(body[descriptionSize..<descriptionSize + count * StoreEntry.size]),
            offset + headerSize + body.count
        )
    }

    private static func bytes(_ descriptor: Int32, _ offset: Int, _ count: Int) -> [UInt8]? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, count >= 0, offset + count <= Int(status.st_size) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let read = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress! + done, count - done, off_t(offset + done))
            }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { return nil }
            done += read
        }
        return bytes
    }
}

/// Writes a store chunk by chunk. What a crash leaves is as good as it was: chunks that are whole are kept, and the next
/// writer continues behind them.
final class StoreWriter {
    private let folder: URL
    private let descriptor: Int32
    private let index: Int32
    private var size = 0
    private var count = 0
    private var sources: [String: UInt32] = [:]
    private var sourceNames: [String] = []
    /// Records in the chunks that are there.
    private(set) var records = 0
    private(set) var findings = PreparationFindings()
    /// Tokens that the last chunk left for the next one.
    private(set) var rest: BlockBuilder.Rest?

    /// - Parameter folder: where it is written until it is whole; what another writer left there is taken over.
    init(_ folder: URL) throws {
        self.folder = folder
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        descriptor = open(
            folder.appending(path: StoreChunk.fileName).path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        index = open(
            folder.appending(path: StoreEntry.fileName).path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0, index >= 0 else {
            throw Self.refusal(folder, "cannot be written to")
        }
        while let (chunk, entries, end) = StoreChunk.read(descriptor, at: size) {
            try append(entries, to: index, at: count * StoreEntry.size)
            count += entries.count / StoreEntry.size
            note(chunk.description)
            records += chunk.records
            size = end
        }
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw Self.refusal(folder, "cannot be written to") }
    }

    deinit {
        close(descriptor)
        close(index)
    }

    private func note(_ description: StoreChunk.Description) {
        findings.add(description.findings)
        for name in description.newSources { add(name) }
        rest = description.rest
    }

    private func add(_ source: String) {
        sourceNames.append(source)
        sources[source] = UInt32(sourceNames.count)
    }

    /// - Parameter examples: the sources of the chunk's entries, one for each.
    func append(_ chunk: StoreChunk, sources names: [String?]) throws {
        var chunk = chunk
        for (place, name) in names.enumerated() {
            guard let name else { continue }
            if sources[name] == nil {
                add(name)
                chunk.description.newSources.append(name)
            }
            chunk.entries[place].source = sources[name] ?? 0
        }
        let bytes = try chunk.bytes(at: size)
        try append(bytes, to: descriptor, at: size)
        let start = bytes.count - chunk.payload.count - chunk.entries.count * StoreEntry.size
        try append(
            Array(bytes[start..<bytes.count - chunk.payload.count]), to: index, at: count * StoreEntry.size)
        size += bytes.count
        count += chunk.entries.count
        records += chunk.records
        findings.add(chunk.description.findings)
        rest = chunk.description.rest
    }

    private func append(_ bytes: [UInt8], to descriptor: Int32, at offset: Int) throws {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw Self.refusal(folder, "the prepared examples cannot be written there") }
            done += written
        }
    }

    /// Says that nothing is missing, and brings everything to the disk.
    func finish() throws {
        guard fsync(descriptor) == 0, fsync(index) == 0 else {
            throw Self.refusal(folder, "the prepared examples cannot be brought to the disk")
        }
        findings.sumUp()
        let summary = StoreSummary(count: count, size: size, sources: sourceNames, findings: findings)
        try WholeFile.write(try JSONEncoder().encode(summary), to: folder.appending(path: StoreSummary.name))
    }

    private static func refusal(_ folder: URL, _ what: String) -> DataError {
        let isFull = errno == ENOSPC || errno == EDQUOT
        return DataError(
            isFull ? .full : .notWritable, at: folder.path, "\(what) (\(String(cString: strerror(errno)))).",
            advice: isFull
                ? "Make room there, and the next run continues behind what is prepared already, or move the cache to "
                    + "another disk (MENO_CACHE)."
                : "Choose another folder for the cache (MENO_CACHE).")
    }
}
