internal import Foundation
internal import MenoFormats

/// Examples that were prepared and lie on the disk. In memory is what decides about all of them, mapped from the index; an
/// example itself is read when it is asked for.
package final class ExampleStore: ExampleSource {
    /// What lies beside the examples.
    package let summary: StoreSummary
    private let folder: URL
    private let descriptor: Int32
    private let index: MemoryMappedFile
    /// Kept as long as this object is there: nobody removes what is used.
    private let lock: FileLock?

    /// - Throws: ``DataError`` where the store is not whole.
    init(_ folder: URL, lock: FileLock?) throws {
        self.folder = folder
        self.lock = lock
        let damage = DataError(.malformed, at: folder.path, "holds no whole examples.")
        guard let data = try? Data(contentsOf: folder.appending(path: StoreSummary.name)),
            let summary = try? JSONDecoder().decode(StoreSummary.self, from: data),
            summary.version == StoreSummary.currentVersion,
            let index = try? MemoryMappedFile(contentsOf: folder.appending(path: StoreEntry.fileName)),
            index.count == summary.count * StoreEntry.size
        else { throw damage }
        let examples = folder.appending(path: StoreChunk.fileName).path
        let descriptor = open(examples, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0, Int(status.st_size) == summary.size else {
            if descriptor >= 0 { close(descriptor) }
            throw damage
        }
        (self.summary, self.index, self.descriptor) = (summary, index, descriptor)
    }

    deinit { close(descriptor) }

    package var count: Int { summary.count }

    func entry(_ position: Int) -> StoreEntry {
        precondition(position >= 0 && position < count)
        return index.withUnsafeBytes(position * StoreEntry.size..<(position + 1) * StoreEntry.size) { StoreEntry($0) }
    }

    package func lengths(at position: Int) -> ExampleLengths { entry(position).lengths }

    package func source(at position: Int) -> String? {
        let number = Int(entry(position).source)
        return number > 0 ? summary.sources[number - 1] : nil
    }

    package func contentHash(at position: Int) -> UInt64 { entry(position).hash }

    package func example(at position: Int) throws -> Example {
        let entry = entry(position)
        let source = source(at: position)
        return try withUnsafeTemporaryAllocation(byteCount: Int(entry.size), alignment: 8) { buffer in
            var done = 0
            while done < buffer.count {
                let count = pread(
                    descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(Int(entry.offset) + done))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw damage(position) }
                done += count
            }
            do throws(ExampleReader.Damage) {
                let example = try ExampleReader.example(UnsafeRawBufferPointer(buffer), source: source)
                guard example.contentHash == entry.hash else { throw ExampleReader.Damage() }
                return example
            } catch {
                throw damage(position)
            }
        }
    }

    private func damage(_ position: Int) -> DataError {
        DataError(
            .malformed, at: folder.path, "example \(position) of the prepared data is damaged.",
            advice: "Remove the folder, and the examples are prepared again.")
    }

    /// Lets go of the memory that the index took while all of it was looked at.
    package func releaseIndex() { index.release(0..<index.count) }
}

/// What a store says of itself, written last.
package struct StoreSummary: Codable, Sendable {
    static let name = "summary.json"
    static let currentVersion = 2

    var version = currentVersion
    /// Examples, and bytes of their file.
    package var count: Int
    var size: Int
    /// What records were taken from.
    var sources: [String]
    /// What was found while they were prepared.
    package var findings: PreparationFindings
}

/// A line of the index.
struct StoreEntry {
    static let fileName = "index.bin"
    static let size = 32

    var offset: UInt64
    var hash: UInt64
    /// Bytes.
    var size: UInt32
    var ids: UInt32
    var rejected: UInt32
    /// 0: none; else its place in the list of sources, counted from 1.
    var source: UInt32

    var lengths: ExampleLengths { ExampleLengths(ids: Int(ids), rejected: Int(rejected)) }

    init(offset: UInt64, hash: UInt64, size: UInt32, ids: UInt32, rejected: UInt32, source: UInt32) {
        (self.offset, self.hash, self.size) = (offset, hash, size)
        (self.ids, self.rejected, self.source) = (ids, rejected, source)
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        let word = { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)) }
        let long = { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)) }
        self.init(
            offset: long(0), hash: long(8), size: word(16), ids: word(20), rejected: word(24), source: word(28))
    }

    func append(to bytes: inout [UInt8]) {
        for long in [offset, hash] { withUnsafeBytes(of: long.littleEndian) { bytes.append(contentsOf: $0) } }
        for word in [size, ids, rejected, source] {
            withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
        }
    }
}
