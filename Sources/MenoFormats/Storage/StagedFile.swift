internal import Foundation

/// A file that is written part by part and appears under its name only when it is complete.
///
/// Until then it is a hidden `.NAME.partial` in the same folder, which is removed when this object goes away.
final class StagedFile {
    private let target: URL
    private let partial: URL
    private var descriptor: Int32

    /// - Throws: ``FormatError`` `inputOutput` when the system refuses.
    init(_ url: URL) throws {
        target = url
        partial = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).partial")
        descriptor = open(partial.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw refusal("cannot be created") }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(partial.path)
    }

    var isFinished: Bool { descriptor < 0 }

    /// Writes bytes at a place; places that are never written are zero.
    func write(_ bytes: UnsafeRawBufferPointer, at start: Int) throws {
        var done = 0
        while done < bytes.count {
            // The system takes less than 2 GiB at once.
            let step = min(bytes.count - done, 1 << 30)
            let written = pwrite(descriptor, bytes.baseAddress! + done, step, off_t(start + done))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw refusal("cannot be written") }
            done += written
        }
    }

    /// Makes the file longer; what is added is zero.
    func extend(to size: Int) throws {
        guard ftruncate(descriptor, off_t(size)) == 0 else { throw refusal("cannot be written") }
    }

    /// Gives the file its name, replacing what had it.
    /// - Parameter synchronize: whether to wait until the bytes and the name are on the disk (`fsync`).
    func finish(synchronize: Bool) throws {
        if synchronize, fsync(descriptor) != 0 { throw refusal("cannot be written to the disk") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(partial.path, target.path) == 0 else {
            let error = refusal("cannot be completed")
            unlink(partial.path)
            throw error
        }
        if synchronize { try Self.synchronize(folder: target.deletingLastPathComponent()) }
    }

    /// Waits until the names in a folder are on the disk.
    static func synchronize(folder: URL) throws {
        let descriptor = open(folder.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw refusal(folder, "cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw refusal(folder, "cannot be written to the disk") }
    }

    private func refusal(_ what: String) -> FormatError { Self.refusal(target, what) }

    private static func refusal(_ url: URL, _ what: String) -> FormatError {
        FormatError(.inputOutput, at: url.path, "\(what): \(String(cString: strerror(errno))).")
    }
}
