internal import Foundation

/// A lock on a file that other processes respect; the system gives it free when the process ends, however it does.
final class FileLock: Sendable {
    enum Mode { case shared, exclusive }

    private let descriptor: Int32
    private let path: String

    /// Takes the lock where that is possible at once.
    init?(_ path: String, _ mode: Mode) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return nil }
        (self.descriptor, self.path) = (descriptor, path)
        // A file that was removed meanwhile locks nobody out.
        guard flock(descriptor, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0, isThere else { return nil }
    }

    deinit { close(descriptor) }

    private var isThere: Bool {
        var (here, there) = (stat(), stat())
        return fstat(descriptor, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino
    }

    /// Lets others share the lock. Another process may have it for itself in between.
    func share() -> Bool { flock(descriptor, LOCK_SH | LOCK_NB) == 0 && isThere }

    /// Removes the file of a lock that is held exclusively.
    func remove() { unlink(path) }
}
