internal import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// The last file of a checkpoint: the size and SHA-256 of each other one. Without it, or where it is not true, a folder is
/// no checkpoint.
struct CheckpointManifest: Codable {
    struct File: Codable, Hashable {
        var size: Int
        var sha256: String
    }

    static let name = "manifest.json"
    var version = 1
    var files: [String: File]

    /// Describes the files of a folder.
    init(of folder: URL) throws {
        files = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name != Self.name {
            files[name] = try Self.describe(folder.appending(path: name))
        }
    }

    /// What is wrong with a folder; `nil`: it is whole.
    static func fault(of folder: URL) -> String? {
        guard let data = try? Data(contentsOf: folder.appending(path: name)) else { return "it has no \(name)" }
        guard let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: data) else {
            return "its \(name) cannot be read"
        }
        guard manifest.version == 1 else { return "its \(name) is of version \(manifest.version); 1 is known" }
        for (name, expected) in manifest.files.sorted(by: { $0.key < $1.key }) {
            guard let found = try? describe(folder.appending(path: name)) else { return "\(name) is missing" }
            guard found.size == expected.size else {
                return "\(name) has \(found.size) bytes instead of \(expected.size)"
            }
            guard found == expected else { return "\(name) was changed (its SHA-256 differs)" }
        }
        return nil
    }

    /// Whether a folder has the files of its manifest, by their sizes: what ``fault(of:)`` asks, without reading them.
    static func hasFiles(_ folder: URL) -> Bool {
        guard let data = try? Data(contentsOf: folder.appending(path: name)),
            let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: data)
        else { return false }
        return manifest.files.allSatisfy { name, file in
            var status = stat()
            return stat(folder.appending(path: name).path, &status) == 0 && Int(status.st_size) == file.size
        }
    }

    private static func describe(_ url: URL) throws -> File {
        let digest = try FileDigest(of: url)
        return File(size: digest.size, sha256: digest.sha256)
    }
}
