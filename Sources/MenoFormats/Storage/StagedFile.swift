internal import Foundation

/// A file that is written part by part and appears under its name only when it is complete.
///
/// Until then it is a hidden `.NAME.partial` in the same folder, which is removed when this object goes away.
final class StagedFile {
    private let target: URL
    private let partial: URL
    private var descriptor: Int32

    /// - Parameter owner: part of the hidden name, where several processes may write the same file.
    /// - Throws: ``FormatError`` `inputOutput` when the system refuses.
    init(_ url: URL, owner: String = "") throws {
        target = url
        partial = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent)\(owner).partial")
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
    func finish(_ durability: WholeFile.Durability) throws {
        if durability != .none, fsync(descriptor) != 0 { throw refusal("cannot be synced to disk") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(partial.path, target.path) == 0 else {
            let error = refusal("cannot be completed")
            unlink(partial.path)
            throw error
        }
        if durability == .name { try WholeFile.synchronize(target.deletingLastPathComponent()) }
    }

    private func refusal(_ what: String) -> FormatError { .system(target, what) }
}

extension FormatError {
    /// What the operating system just refused.
    static func system(_ url: URL, _ what: String) -> FormatError {
        FormatError(.inputOutput, at: url.path, "\(what) (\(String(cString: strerror(errno)))).")
    }
}
