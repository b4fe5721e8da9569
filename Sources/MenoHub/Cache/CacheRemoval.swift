package import Foundation

/// Removes a model from the cache, or one of its revisions.
package struct CacheRemoval: Sendable {
    package let reference: HubReference
    private let repository: CachedRepository
    /// The revision to remove; `nil`: all of them.
    private let commit: String?
    /// Bytes that will be freed.
    package let size: Int

    /// - Parameter reference: a model, with or without a revision.
    /// - Throws: ``HubError`` `notFound` if the cache does not have it.
    package init(_ reference: HubReference, in cache: URL) throws {
        guard reference.selector == nil else {
            throw HubError(
                .unsupported, at: reference.description, "cannot be removed: it names a single file.",
                advice: "Remove the model \(reference.id) or one of its revisions.")
        }
        self.reference = reference
        repository = CachedRepository(reference.id, in: cache)
        guard let model = CachedModel.all(in: cache).first(where: { $0.id == reference.id }) else {
            throw HubError(.notFound, at: reference.id, "is not in \(cache.path).")
        }
        guard let revision = reference.revision else {
            commit = nil
            size = Self.ownSize(Self.blobs(of: model.revisions, repository), repository) + model.incomplete
            return
        }
        guard let commit = repository.commit(of: revision),
            let found = model.revisions.first(where: { $0.commit == commit })
        else {
            let known = model.revisions.map { $0.names.first ?? $0.commit }
            throw HubError(
                .notFound, at: reference.description, "this revision is not in \(cache.path).",
                advice: "The cache has \(known.joined(separator: ", ")).")
        }
        self.commit = commit
        let others = model.revisions.filter { $0.commit != commit }
        let kept = Self.blobs(of: others, repository)
        size = Self.ownSize(Self.blobs(of: [found], repository).subtracting(kept), repository)
    }

    /// The files that the links of the given revisions point to.
    private static func blobs(of revisions: [CachedModel.Revision], _ repository: CachedRepository) -> Set<URL> {
        Set(
            revisions.flatMap { revision in
                revision.files.map {
                    repository.snapshot(revision.commit).appending(path: $0).resolvingSymlinksInPath()
                }
            })
    }

    /// The size in bytes of those inside the repository's folder. Files elsewhere, such as in a store shared by
    /// several models, may be used by others too.
    private static func ownSize(_ blobs: Set<URL>, _ repository: CachedRepository) -> Int {
        blobs.filter { isOwn($0, repository) }.reduce(0) {
            $0 + ((try? FileManager.default.attributesOfItem(atPath: $1.path))?[.size] as? Int ?? 0)
        }
    }

    private static func isOwn(_ blob: URL, _ repository: CachedRepository) -> Bool {
        blob.path.hasPrefix(repository.folder.resolvingSymlinksInPath().path + "/")
    }

    /// - Throws: ``HubError`` if another process is downloading it, or the system refuses.
    package func run() throws {
        let locks = try held()
        defer { withExtendedLifetime(locks) {} }
        do {
            if let commit { try remove(commit) } else { try remove(repository.folder) }
        } catch {
            throw HubError(
                .inputOutput, at: repository.folder.path,
                "cannot be removed completely (\(error.localizedDescription)).")
        }
    }

    private func remove(_ url: URL) throws {
        if FileManager.default.fileExists(atPath: url.path) { try FileManager.default.removeItem(at: url) }
    }

    /// Removes a snapshot, the names that refer to it, and the blobs that no other snapshot uses.
    private func remove(_ commit: String) throws {
        let remaining = CachedModel.all(in: repository.cache).first { $0.id == reference.id }?.revisions ?? []
        guard remaining.contains(where: { $0.commit != commit }) else { return try remove(repository.folder) }
        let kept = Self.blobs(of: remaining.filter { $0.commit != commit }, repository)
        let gone = Self.blobs(of: remaining.filter { $0.commit == commit }, repository).subtracting(kept)
        for name in repository.refNames where repository.commit(of: name) == commit {
            try remove(repository.refs.appending(path: name))
        }
        try remove(repository.snapshot(commit))
        try remove(repository.folder.appending(path: ".no_exist/\(commit)"))
        for blob in gone where Self.isOwn(blob, repository) { try remove(blob) }
    }

    /// The locks of all files that have been downloaded.
    private func held() throws -> [FileLock] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: repository.locks.path)) ?? []
        return try names.map { name in
            guard let lock = try FileLock.attempt(repository.locks.appending(path: name)) else {
                throw HubError(
                    .inputOutput, at: reference.id, "is being downloaded by another process.",
                    advice: "Remove it when the download has ended.")
            }
            return lock
        }
    }
}
