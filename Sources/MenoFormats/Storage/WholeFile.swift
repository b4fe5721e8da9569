package import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Writes files atomically: a file gets its name only when it is complete, whatever happens during writing.
///
/// Foundation's own atomic writing is not used: after a partial write, as on a nearly full disk, it continues with the first
/// bytes instead of the next ones, which corrupts the file without an error.
package enum WholeFile {
    /// What is guaranteed to be on disk, safe from a power loss, once a file has been written.
    package enum Durability {
        /// Nothing: the caller has to flush.
        case none
        /// The bytes, before the rename: after a power loss, the name refers to the complete old or new file.
        case contents
        /// The bytes and the name.
        case name
    }

    /// Writes a file under a hidden name next to it and renames it: readers see either the old file or the new one.
    /// - Parameter isShared: whether other processes may write the same file at the same time.
    /// - Throws: ``FormatError`` with `inputOutput`; a previous file with this name is unchanged.
    package static func write(
        _ data: Data, to url: URL, durability: Durability = .name, isShared: Bool = false
    ) throws {
        let file = try StagedFile(url, owner: isShared ? ".\(getpid())" : "")
        try data.withUnsafeBytes { try file.write($0, at: 0) }
        try file.finish(durability)
    }

    /// Whether a file has the hidden name of an incomplete file that no other process is writing.
    package static func isPartial(_ url: URL) -> Bool {
        url.lastPathComponent.wholeMatch(of: /\.[a-z_]+\.[a-z]+\.partial/) != nil
    }

    /// Waits until a file's bytes, or the names in a folder, are on disk.
    /// - Throws: ``FormatError`` with `inputOutput`.
    package static func synchronize(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FormatError.system(url, "cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FormatError.system(url, "cannot be flushed to disk") }
    }

    /// Creates a folder, and those above it that are missing; their names are on disk when this returns.
    ///
    /// Otherwise a power loss could lose the folder and every file that was flushed inside it.
    package static func createFolder(_ url: URL) throws {
        var missing: [URL] = []
        var folder = url.standardizedFileURL
        while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
            missing.append(folder)
            folder = folder.deletingLastPathComponent()
        }
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for parent in missing.map({ $0.deletingLastPathComponent() }) {
            // A folder that is writable but not readable cannot be flushed.
            if access(parent.path, R_OK) == 0 { try synchronize(parent) }
        }
    }
}
