package import Foundation

/// A file whose bytes are read through memory mapping: opening is cheap, and pages are loaded on access.
///
/// The mapping is read-only and exists as long as this object. A file must not be shortened by another program
/// while it is mapped: the operating system then ends the process (`SIGBUS`), as with every memory-mapped reader.
package final class MemoryMappedFile: Sendable {
    private enum Owner: Sendable { case mapping, allocation }

    /// The path as the caller gave it, for messages.
    package let path: String
    /// The number of bytes.
    package let count: Int

    // Never written after `init`, and freed only by `deinit`.
    private nonisolated(unsafe) let base: UnsafeRawPointer
    private let owner: Owner

    /// Maps a regular file.
    /// - Throws: ``FormatError``: `notFound` when it does not exist or is not a regular file, `inputOutput` if the system cannot
    ///   open or map it.
    package init(contentsOf url: URL) throws {
        path = url.path
        var status = stat()
        // Checked before opening, since opening a named pipe would wait for a writer.
        guard stat(path, &status) == 0 else { throw Self.refusal(path, "cannot be opened", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw FormatError(.notFound, at: path, "is not a regular file.", advice: "Give the path of a model file.")
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.refusal(path, "cannot be opened", errno) }
        defer { close(descriptor) }
        guard fstat(descriptor, &status) == 0 else { throw Self.refusal(path, "cannot be examined", errno) }
        guard let size = Int(exactly: status.st_size), size >= 0 else {
            throw FormatError(.inputOutput, at: path, "has a size that this machine cannot address.")
        }
        count = size
        guard size > 0 else {  // A mapping of zero bytes is an error for the system, but an empty file is not.
            base = UnsafeRawPointer(UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16))
            owner = .allocation
            return
        }
        guard let mapping = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), mapping != MAP_FAILED else {
            throw Self.refusal(path, "cannot be mapped into memory (\(size) bytes)", errno)
        }
        base = UnsafeRawPointer(mapping)
        owner = .mapping
    }

    /// Bytes in memory that are read like a file.
    init(bytes: [UInt8], path: String) {
        self.path = path
        count = bytes.count
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(16, bytes.count), alignment: 16)
        bytes.withUnsafeBytes {
            if let source = $0.baseAddress { memory.copyMemory(from: source, byteCount: $0.count) }
        }
        base = UnsafeRawPointer(memory)
        owner = .allocation
    }

    deinit {
        let memory = UnsafeMutableRawPointer(mutating: base)
        switch owner {
        case .mapping: munmap(memory, count)
        case .allocation: memory.deallocate()
        }
    }

    /// Passes bytes of the file to `body`; the buffer is valid only while it runs.
    /// - Parameter range: within `0..<count`; otherwise a programmer error.
    package func withUnsafeBytes<Result>(
        _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range \(range) is outside \(path)")
        return try withExtendedLifetime(self) {
            try body(UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
        }
    }

    /// Passes all bytes of the file to `body`; the buffer is valid only while it runs.
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withUnsafeBytes(0..<count, body)
    }

    /// Releases bytes that are not needed for now: their pages no longer count as this process's memory and are loaded again on
    /// access.
    package func release(_ range: Range<Int>) {
        guard owner == .mapping else { return }
        let page = Int(getpagesize())
        // Pages that are shared with neighbouring bytes stay.
        let start = (range.lowerBound + page - 1) / page * page
        let end = range.upperBound / page * page
        if start < end { madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED) }
    }

    private static func refusal(_ path: String, _ what: String, _ number: Int32) -> FormatError {
        let reason = String(cString: strerror(number))
        return FormatError(
            number == ENOENT || number == ENOTDIR ? .notFound : .inputOutput, at: path, "\(what): \(reason).")
    }
}
