internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Writes small files so that none is ever half there under its name.
enum WholeFile {
    /// Writes a hidden file beside it, brings that to the disk and gives it the name.
    static func write(_ data: Data, to url: URL) throws {
        let partial = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).partial")
        let descriptor = open(partial.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw refusal(url) }
        do {
            try data.withUnsafeBytes { try write($0, to: descriptor, url) }
            guard fsync(descriptor) == 0 else { throw refusal(url) }
        } catch {
            close(descriptor)
            unlink(partial.path)
            throw error
        }
        guard close(descriptor) == 0, rename(partial.path, url.path) == 0 else {
            let error = refusal(url)
            unlink(partial.path)
            throw error
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ url: URL) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            // The system takes less than 2 GiB at once.
            #if canImport(Glibc)
                let written = Glibc.write(descriptor, part.baseAddress, min(part.count, 1 << 30))
            #else
                let written = Darwin.write(descriptor, part.baseAddress, min(part.count, 1 << 30))
            #endif
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw refusal(url) }
            rest = rest.dropFirst(written)
        }
    }

    private static func refusal(_ url: URL) -> ModelError {
        ModelError(.malformed, path: url.path, "cannot be written (\(String(cString: strerror(errno)))).")
    }
}
