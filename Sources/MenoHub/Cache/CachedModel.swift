package import Foundation

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A Hub model that is in the cache, completely or in part.
package struct CachedModel: Sendable {
    package struct Revision: Sendable {
        package let commit: String
        /// The branches and tags that pointed to this commit when they were looked up.
        package let names: [String]
        package let files: [String]
        /// The size of its files in bytes.
        package let size: Int
    }

    package let id: String
    package let folder: URL
    /// Ordered by commit.
    package let revisions: [Revision]
    /// The size of all its files in bytes; files shared by several revisions are counted once.
    package let size: Int
    /// The size of interrupted downloads in bytes.
    package let incomplete: Int

    private init(_ repository: CachedRepository) {
        id = repository.id
        folder = repository.folder
        let refs = repository.refNames
        let commits = (try? FileManager.default.contentsOfDirectory(atPath: repository.snapshots.path)) ?? []
        var blobs: [String: Int] = [:]
        revisions = commits.filter(HubReference.isCommit).sorted().map { commit in
            let files = repository.files(at: commit)
            let sizes = files.map { name in
                let url = repository.snapshot(commit).appending(path: name)
                let size = Self.size(url)
                blobs[url.resolvingSymlinksInPath().path] = size
                return size
            }
            return Revision(
                commit: commit, names: refs.filter { repository.commit(of: $0) == commit }, files: files,
                size: sizes.reduce(0, +))
        }
        size = blobs.values.reduce(0, +)
        incomplete = repository.incompleteBlobs.map(Self.size).reduce(0, +)
    }

    private static func size(_ url: URL) -> Int {
        var information = stat()
        return stat(url.path, &information) == 0 ? Int(information.st_size) : 0
    }

    /// All models in a cache, ordered by id. Datasets and spaces are left out.
    package static func all(in cache: URL) -> [CachedModel] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: cache.path)) ?? []
        return names.compactMap { CachedRepository.id(ofFolder: $0) }.sorted().map {
            CachedModel(CachedRepository($0, in: cache))
        }
    }
}

extension CachedRepository {
    /// The branches and tags that were looked up.
    var refNames: [String] {
        let names = FileManager.default.enumerator(atPath: refs.path)?.compactMap { $0 as? String } ?? []
        return names.filter { !$0.hasSuffix(".tmp") && !HubReference.isCommit($0) && commit(of: $0) != nil }.sorted()
    }

    /// Files that are partly downloaded, by Meno or other programs.
    var incompleteBlobs: [URL] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: blobs.path)) ?? []
        return names.filter { $0.hasSuffix(".incomplete") }.map { blobs.appending(path: $0) }
    }
}
