internal import Crypto
package import Foundation

/// A repository that the server has.
package struct ServedRepository: Sendable {
    package let id: String
    /// The files of each commit.
    package var commits: [String: [String: Data]] = [:]
    /// The commit of each branch and tag.
    package var refs: [String: String] = [:]
    /// Whether it is a dataset, and no model.
    package var isDataset = false
    /// Whether its conditions must be accepted.
    package var isGated = false
    /// Whether others than its owner do not even see it.
    package var isPrivate = false

    /// A repository with one commit, on `main`.
    package init(_ id: String, _ files: [String: Data]) {
        self.id = id
        add(files)
    }

    /// Adds a commit to a branch.
    /// - Returns: the commit.
    @discardableResult package mutating func add(_ files: [String: Data], to branch: String = "main") -> String {
        let text = files.sorted { $0.key < $1.key }.map { "\($0.key) \(Self.gitSHA1($0.value))" }.joined(
            separator: "\n")
        let commit = Self.gitSHA1(Data("\(id)\n\(commits.count)\n\(text)".utf8))
        commits[commit] = files
        refs[branch] = commit
        return commit
    }

    /// The files of a folder, by their names; not those in folders.
    package static func files(in folder: URL) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            var isFolder: ObjCBool = false
            let path = folder.appending(path: name).path
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            files[name] = try Data(contentsOf: folder.appending(path: name), options: .alwaysMapped)
        }
        return files
    }

    func commit(of revision: String) -> String? { refs[revision] ?? (commits[revision] == nil ? nil : revision) }

    /// Whether git has only a pointer to a file, as it has for those that the Hub's `.gitattributes` name.
    package static func isLarge(_ name: String) -> Bool {
        [".safetensors", ".gguf", ".bin"].contains { name.hasSuffix($0) } || name == "tokenizer.json"
    }

    /// The checksum that stands in a file's etag.
    package static func etag(_ name: String, _ data: Data) -> String { isLarge(name) ? sha256(data) : gitSHA1(data) }

    package static func gitSHA1(_ data: Data) -> String {
        hex(Insecure.SHA1.hash(data: Data("blob \(data.count)\0".utf8) + data))
    }

    package static func sha256(_ data: Data) -> String { hex(SHA256.hash(data: data)) }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
