package import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Files that have their name only when they are whole, whatever happens while they are written.
///
/// Foundation's own atomic writing is not used: where the system takes a part of the bytes at once, as on a disk that is
/// nearly full, it continues with the first bytes instead of the next ones, and the file is wrong without an error.
package enum WholeFile {
    /// What is on the disk, safe from a power loss, when a file has been written.
    package enum Durability {
        /// Nothing yet: the caller brings it there.
        case none
        /// The bytes, before the file has its name: it is the old file or the new one.
        case contents
        /// The bytes and the name.
        case name
    }

    /// Writes a file under a hidden name beside its own, and renames it: readers see the old file or the new one.
    /// - Parameter isShared: whether other processes may write the same file at the same time.
    /// - Throws: ``FormatError`` with `inputOutput`; what had the name before is as it was.
    package static func write(
        _ data: Data, to url: URL, durability: Durability = .name, isShared: Bool = false
    ) throws {
        let file = try StagedFile(url, owner: isShared ? ".\(getpid())" : "")
        try data.withUnsafeBytes { try file.write($0, at: 0) }
        try file.finish(durability)
    }

    /// Whether a file has the hidden name of one that is not whole yet, and that no other process writes.
    package static func isPartial(_ url: URL) -> Bool {
        url.lastPathComponent.wholeMatch(of: /\.[a-z_]+\.[a-z]+\.partial/) != nil
    }

    /// Waits until a file's bytes, or the names in a folder, are on the disk.
    /// - Throws: ``FormatError`` with `inputOutput`.
    package static func synchronize(_ url: URL) throws {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FormatError.system(url, "cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FormatError.system(url, "cannot be synced to disk") }
    }

    /// Creates a folder, and those above it that are missing; their names are on the disk when this returns.
    ///
    /// Otherwise a power loss takes the folder with everything that was so carefully written into it.
    package static func createFolder(_ url: URL) throws {
        var missing: [URL] = []
        var folder = url.standardizedFileURL
        while !FileManager.default.fileExists(atPath: folder.path), folder.path != "/" {
            missing.append(folder)
            folder = folder.deletingLastPathComponent()
        }
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        for parent in missing.map({ $0.deletingLastPathComponent() }) {
            // A folder that may be written to and not read cannot be brought to the disk.
            if access(parent.path, R_OK) == 0 { try synchronize(parent) }
        }
    }
}
