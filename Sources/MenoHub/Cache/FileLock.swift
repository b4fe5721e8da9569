internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A lock held by one process at a time, compatible with `huggingface_hub`: `flock` on a file that is kept. The
/// system releases it when the process ends for any reason.
final class FileLock: Sendable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Returns: `nil` if another process, or another task in this one, holds it.
    /// - Throws: ``HubError`` if the file cannot be opened.
    static func attempt(_ url: URL) throws -> FileLock? {
        let descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o664)
        guard descriptor >= 0 else { throw HubError(systemError: errno, url.path, "cannot be opened") }
        let lock = FileLock(descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // On a file system without locks, two processes may download the same file; the checksum still protects
            // it.
            return errno == ENOLCK || errno == ENOTSUP || errno == ENOSYS ? lock : nil
        }
        var (held, named) = (stat(), stat())
        // Another process may have removed the file, and a third may have created and locked a new one.
        guard fstat(descriptor, &held) == 0, stat(url.path, &named) == 0, held.st_ino == named.st_ino else {
            return nil
        }
        return lock
    }

    /// Waits until the lock is free.
    /// - Parameter onWait: called once if the lock is not free immediately.
    static func acquire(_ url: URL, onWait: () -> Void) async throws -> FileLock {
        var hasWaited = false
        while true {
            if let lock = try attempt(url) { return lock }
            if !hasWaited { onWait() }
            hasWaited = true
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
