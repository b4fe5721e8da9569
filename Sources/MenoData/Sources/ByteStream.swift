internal import Foundation

/// Bytes in order, from a file or from what unpacks one.
package protocol ByteStream: AnyObject {
    /// Fills a buffer as far as bytes are at hand.
    /// - Returns: how many bytes were read; 0 at the end.
    /// - Throws: ``DataError``
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

extension ByteStream {
    /// Fills a buffer whole, unless the bytes end before.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            guard count > 0 else { break }
            filled += count
        }
        return filled
    }
}

/// The bytes of a regular file as it was when it was opened.
///
/// They are read, not mapped: a mapped file that another program shortens would end the process.
final class FileByteStream: ByteStream {
    private let path: String
    private let descriptor: Int32
    private let size: Int
    private var place = 0

    /// - Parameter version: what the file was when it was looked into first.
    init(_ path: String, expecting version: FileVersion? = nil) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw DataError(.notFound, at: path, "cannot be read (\(String(cString: strerror(errno)))).")
        }
        var status = stat()
        size = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        if let version, FileVersion(status) != version {
            throw DataError(
                .changed, at: path, "changed while it was read.", advice: "Wait until whatever writes it has finished.")
        }
    }

    deinit { close(descriptor) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard place < size, let base = buffer.baseAddress, !buffer.isEmpty else {
            try requireUnchangedSize()
            return 0
        }
        while true {
            let count = Foundation.read(descriptor, base, min(buffer.count, size - place))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw DataError(.notFound, at: path, "cannot be read (\(String(cString: strerror(errno)))).")
            }
            if count == 0 { try requireUnchangedSize() }
            place += count
            return count
        }
    }

    private func requireUnchangedSize() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) != size else { return }
        let change = status.st_size < size ? "became shorter" : "grew"
        throw DataError(
            .changed, at: path, "\(change) while it was read, from \(size) to \(status.st_size) bytes.",
            advice: "Wait until whatever writes it has finished.")
    }
}

/// Bytes in memory.
final class DataByteStream: ByteStream {
    private var rest: Data

    init(_ data: Data) { rest = data }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, rest.count)
        rest.prefix(count).withUnsafeBytes { buffer.copyMemory(from: $0) }
        rest = rest.dropFirst(count)
        return count
    }
}
