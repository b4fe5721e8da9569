internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A blob that is being downloaded: `blobs/ETAG.incomplete`. After an interruption, the next download resumes it.
struct PartialFile: ~Copyable {
    private let url: URL
    private let descriptor: Int32
    private let file: RemoteFile
    private var checksum: Checksum.Running
    /// The number of bytes present.
    private(set) var count = 0

    /// Opens the existing part and computes its checksum.
    /// - Throws: ``HubError`` if the system refuses.
    init(_ file: RemoteFile, beside blob: URL) throws {
        self.file = file
        url = URL(filePath: blob.path + ".incomplete")
        checksum = Checksum.Running(Checksum(etag: file.etag), size: file.size)
        descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        guard descriptor >= 0 else { throw HubError(systemError: errno, url.path, "cannot be created") }
        try resume()
    }

    deinit { close(descriptor) }

    private mutating func resume() throws {
        let size = Int(lseek(descriptor, 0, SEEK_END))
        if size > file.size ?? .max { return try restart() }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        while count < size {
            let read = pread(descriptor, buffer.baseAddress, buffer.count, off_t(count))
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw HubError(systemError: errno, url.path, "cannot be read") }
            checksum.update(UnsafeRawBufferPointer(rebasing: buffer[..<read]))
            count += read
        }
    }

    /// Discards the existing bytes.
    mutating func restart() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw HubError(systemError: errno, url.path, "cannot be emptied") }
        checksum = Checksum.Running(Checksum(etag: file.etag), size: file.size)
        count = 0
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let written = pwrite(descriptor, start, min(rest.count, 1 << 30), off_t(count))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw HubError(systemError: written < 0 ? errno : ENOSPC, url.path, "cannot be written")
            }
            checksum.update(UnsafeRawBufferPointer(rebasing: rest[..<written]))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            count += written
        }
    }

    /// What is wrong with the bytes; `nil`: they match the server's size and checksum.
    func fault() -> String? {
        if let size = file.size, size != count { return "has \(count) bytes instead of \(size)" }
        return checksum.fault()
    }

    /// Renames the file once its bytes are on disk.
    func finish(as blob: URL) throws {
        guard fsync(descriptor) == 0 else {
            throw HubError(systemError: errno, url.path, "cannot be synced to disk")
        }
        guard rename(url.path, blob.path) == 0 else {
            throw HubError(systemError: errno, blob.path, "cannot be renamed")
        }
    }

    func remove() { unlink(url.path) }
}
