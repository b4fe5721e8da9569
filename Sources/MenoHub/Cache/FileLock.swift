internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A lock that one process at a time holds, as `huggingface_hub` takes it: `flock` on a file that stays. The system frees it
/// when the process ends, however that happens.
final class FileLock: Sendable {
    private let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Returns: `nil` where another process, or another task of this one, holds it.
    /// - Throws: ``HubError`` where the file cannot be opened.
    static func attempt(_ url: URL) throws -> FileLock? {
        let descriptor = open(url.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o664)
        guard descriptor >= 0 else { throw HubError(systemError: errno, url.path, "cannot be opened") }
        let lock = FileLock(descriptor)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            // A file system without locks: then two processes may download the same file, and the checksum tells.
            return errno == ENOLCK || errno == ENOTSUP || errno == ENOSYS ? lock : nil
        }
        var (held, named) = (stat(), stat())
        // Another process may have removed the file, and a third made and locked a new one.
        guard fstat(descriptor, &held) == 0, stat(url.path, &named) == 0, held.st_ino == named.st_ino else {
            return nil
        }
        return lock
    }

    /// Waits until the lock is free.
    /// - Parameter onWait: called once, where it is not free at once.
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
