package import Foundation
internal import MenoConfiguration

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps a run's folder for one training: two would write over each other. The system gives it free when the process
/// ends, however it does.
package final class RunLock {
    private let descriptor: Int32

    /// - Returns: `nil` where the file system knows no locks, or the file cannot be opened.
    /// - Throws: ``ConfigurationError`` where another process trains there.
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
        // On a full disk the number is missing; the lock is held all the same.
        _ = ftruncate(descriptor, 0)
        let text = "\(getpid())\n"
        _ = write(descriptor, text, text.utf8.count)
    }

    deinit { close(descriptor) }

    /// Asks without taking it.
    /// - Throws: ``ConfigurationError`` where another process trains in a folder.
    static func requireFree(_ folder: URL) throws {
        let descriptor = open(file(of: folder).path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
        throw refusal(folder)
    }

    /// Whether a process trains in a folder; `nil` where no training ever took a lock there.
    ///
    /// It is asked again and again while others train, and must not stand in the way of one that starts: the lock is only
    /// tried while the process that wrote its number into the file is there.
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
            .invalid, at: folder.path, "another process\(holder.isEmpty ? "" : " (\(holder))") trains in this folder.",
            advice: "Wait until it has ended, or choose another folder.", settings: [.baseOutputDirectory])
    }
}
