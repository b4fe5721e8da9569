internal import Foundation

/// The last file written to a checkpoint: size and SHA-256 of all others. A folder without it, or with one that does
/// not match, is not a checkpoint.
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

    /// Whether a folder has the files in its manifest, with the right sizes.
    static func hasFiles(_ folder: URL) -> Bool { fault(of: folder, byDigest: false) == nil }

    /// What is wrong with a folder; `nil`: it is complete.
    /// - Parameter byDigest: whether to compare the files' SHA-256; otherwise only their sizes are compared.
    static func fault(of folder: URL, byDigest: Bool = true) -> String? {
        guard let data = try? Data(contentsOf: folder.appending(path: name)) else { return "it has no \(name)" }
        guard let manifest = try? JSONDecoder().decode(CheckpointManifest.self, from: data) else {
            return "its \(name) cannot be read"
        }
        guard manifest.version == 1 else {
            return "its \(name) has version \(manifest.version); only version 1 is supported"
        }
        for (name, expected) in manifest.files.sorted(by: { $0.key < $1.key }) {
            let url = folder.appending(path: name).resolvingSymlinksInPath()
            guard let size = try? url.resourceValues(forKeys: [.fileSizeKey]).fileSize else {
                return "\(name) is missing"
            }
            guard size == expected.size else { return "\(name) has \(size) bytes instead of \(expected.size)" }
            guard byDigest else { continue }
            guard let found = try? describe(url) else { return "\(name) cannot be read" }
            guard found == expected else { return "\(name) was changed (its SHA-256 differs)" }
        }
        return nil
    }

    private static func describe(_ url: URL) throws -> File {
        let digest = try FileDigest(of: url)
        return File(size: digest.size, sha256: digest.sha256)
    }
}
