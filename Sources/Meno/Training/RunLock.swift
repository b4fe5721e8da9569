package import Foundation
internal import MenoConfiguration

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Reserves a run's folder for one process, since two would overwrite each other's files. The
/// system releases the lock when the process ends for any reason.
package final class RunLock {
    private let descriptor: Int32

    /// - Returns: `nil` if the file system does not support locks or the file cannot be opened.
    /// - Throws: ``ConfigurationError`` if another process is training in the folder.
    init?(_ folder: URL) throws {
        let file = Self.file(of: folder)
        let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            defer { close(descriptor) }
            guard errno == EWOULDBLOCK else { return nil }
            throw Self.refusal(folder)
        }
        self.descriptor = descriptor
        // On a full disk the process id is missing, but the lock is still held.
        _ = ftruncate(descriptor, 0)
        let text = "\(getpid())\n"
        _ = write(descriptor, text, text.utf8.count)
    }

    deinit { close(descriptor) }

    /// Checks the lock without taking it.
    /// - Throws: ``ConfigurationError`` if another process is training in the folder.
    static func requireFree(_ folder: URL) throws {
        let descriptor = open(file(of: folder).path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
        throw refusal(folder)
    }

    /// Whether a process is training in a folder; `nil` if no training ever took a lock there.
    ///
    /// This is polled while others train and must not block one that is starting, so the lock is
    /// only tried while the process whose id is in the file exists.
    package static func isHeld(_ folder: URL) -> Bool? {
        guard let text = try? String(contentsOf: file(of: folder), encoding: .utf8) else { return nil }
        if let holder = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), holder > 0,
            kill(holder, 0) != 0, errno == ESRCH
        {
            return false
        }
        do { try requireFree(folder) } catch { return true }
        return false
    }

    private static func file(of folder: URL) -> URL { folder.appending(path: ".lock") }

    private static func refusal(_ folder: URL) -> ConfigurationError {
        let holder =
            (try? String(contentsOf: file(of: folder), encoding: .utf8))
            .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) } ?? ""
        return ConfigurationError(
            .invalid, at: folder.path,
            "another process\(holder.isEmpty ? "" : " (\(holder))") is training in this folder.",
            advice: "Wait until it ends, or choose another folder.", settings: [.baseOutputDirectory])
    }
}
