internal import Foundation

/// The bytes of a file that is read at any place.
final class ParquetBytes {
    private let path: String
    private let descriptor: Int32
    let count: Int

    /// - Parameter stream: what the file really holds, where it is compressed or cannot be sought: it is put into a temporary
    ///   file without a name.
    init(_ path: String, _ stream: (any ByteStream)?) throws {
        self.path = path
        guard let stream else {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw DataError(.notFound, at: path, "cannot be read (\(String(cString: strerror(errno)))).")
            }
            var status = stat()
            count = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
            return
        }
        var template = Array(
            FileManager.default.temporaryDirectory.appending(path: "meno-XXXXXX").path.utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0 else {
            throw DataError(
                .malformed, at: path,
                "cannot be unpacked into a temporary file (\(String(cString: strerror(errno)))).",
                advice: "Set TMPDIR to a folder with room, or unpack it.")
        }
        unlink(template)
        var total = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        do {
            while true {
                let filled = try stream.read(into: buffer)
                if filled == 0 { break }
                var written = 0
                while written < filled {
                    let count = Foundation.write(descriptor, buffer.baseAddress! + written, filled - written)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else {
                        throw DataError(
                            .malformed, at: path,
                            "cannot be unpacked into a temporary file (\(String(cString: strerror(errno)))).",
                            advice: "Set TMPDIR to a folder with room, or unpack it.")
                    }
                    written += count
                }
                total += filled
            }
        } catch {
            close(descriptor)
            throw error
        }
        count = total
    }

    deinit { close(descriptor) }

    func read(_ range: Range<Int>) throws -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= count else { throw ParquetFault.cut }
        var failure: DataError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
            while filled < range.count {
                let got = pread(
                    descriptor, buffer.baseAddress! + filled, range.count - filled, off_t(range.lowerBound + filled))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else {
                    failure = DataError(
                        .changed, at: path, "became shorter while it was read.",
                        advice: "Wait until whatever writes it has finished.")
                    return
                }
                filled += got
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
