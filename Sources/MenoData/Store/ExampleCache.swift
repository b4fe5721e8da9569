package import Foundation

/// The folder in which prepared examples are kept, so that they are made once: `examples` in the user's cache.
///
/// A store has its name when it is whole. Who prepares or uses one holds a lock on it, so that two runs do not prepare the
/// same, and nothing that is used is removed.
package struct ExampleCache: Sendable {
    package let folder: URL
    /// Bytes that the stores may take together. What was not used for longest goes first.
    package let limit: Int

    package init(_ folder: URL, limit: Int) {
        self.folder = folder
        self.limit = limit
    }

    private func url(_ key: String) -> URL { folder.appending(path: key, directoryHint: .isDirectory) }
    private func staged(_ key: String) -> URL {
        folder.appending(path: ".\(key).partial", directoryHint: .isDirectory)
    }
    private func lockPath(_ key: String) -> String { folder.appending(path: ".\(key).lock").path }

    /// The store of a key, if it is there.
    package func existing(_ key: String) -> ExampleStore? {
        guard FileManager.default.fileExists(atPath: url(key).path), let lock = FileLock(lockPath(key), .shared)
        else { return nil }
        return whole(key, lock)
    }

    private func whole(_ key: String, _ lock: FileLock?) -> ExampleStore? {
        guard let store = try? ExampleStore(url(key), lock: lock) else { return nil }
        // By this the order of use is known.
        utimes(url(key).appending(path: StoreSummary.name).path, nil)
        return store
    }

    /// The store of a key; where there is none, it is prepared.
    /// - Parameters:
    ///   - prepare: is called where there is none.
    ///   - wait: is called again and again while another process prepares the same; may throw.
    /// - Throws: ``DataError``, and what the closures throw.
    func store(
        _ key: String, wait: () throws -> Void, prepare: (StoreWriter) throws -> Void
    ) throws -> ExampleStore {
        try createFolder()
        while true {
            if let store = existing(key) { return store }
            guard let lock = FileLock(lockPath(key), .exclusive) else {
                try wait()
                usleep(100_000)
                continue
            }
            // Another process may have been faster.
            if FileManager.default.fileExists(atPath: url(key).path) {
                if lock.share(), let store = whole(key, lock) { return store }
                try? FileManager.default.removeItem(at: url(key))
                continue
            }
            let writer = try StoreWriter(staged(key))
            try prepare(writer)
            try writer.finish()
            guard rename(staged(key).path, url(key).path) == 0 else {
                throw DataError(
                    .notWritable, at: folder.path,
                    "the prepared examples cannot get their name (\(String(cString: strerror(errno)))).")
            }
            removeLeastUsed(keeping: key)
            if lock.share(), let store = whole(key, lock) { return store }
        }
    }

    private func createFolder() throws {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw DataError(
                .notWritable, at: folder.path, "cannot be created (\(error.localizedDescription)).",
                advice: "Choose another folder for the cache (MENO_CACHE).")
        }
    }

    // MARK: Room

    private struct Entry {
        var key: String
        var url: URL
        var size: Int
        var lastUse: Date
    }

    /// Every store, and what unfinished ones left.
    private var entries: [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.compactMap { name in
            let isPartial = name.hasPrefix(".") && name.hasSuffix(".partial")
            guard isPartial || !name.hasPrefix(".") else { return nil }
            let url = folder.appending(path: name)
            let files = ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).compactMap {
                try? FileManager.default.attributesOfItem(atPath: url.appending(path: $0).path)
            }
            guard !files.isEmpty else { return nil }
            return Entry(
                key: isPartial ? String(name.dropFirst().dropLast(".partial".count)) : name, url: url,
                size: files.reduce(0) { $0 + ($1[.size] as? Int ?? 0) },
                lastUse: files.compactMap { $0[.modificationDate] as? Date }.max() ?? .distantPast)
        }
    }

    /// Removes stores until the others are within the limit: the least recently used first, and none that is in use.
    /// - Parameter key: of a store that stays in any case.
    package func removeLeastUsed(keeping key: String? = nil) {
        let entries = entries.sorted { $0.lastUse < $1.lastUse }
        var total = entries.reduce(0) { $0 + $1.size }
        for entry in entries where total > limit && entry.key != key {
            guard let lock = FileLock(lockPath(entry.key), .exclusive) else { continue }
            guard (try? FileManager.default.removeItem(at: entry.url)) != nil else { continue }
            total -= entry.size
            if !entries.contains(where: { $0.key == entry.key && $0.url != entry.url }) { lock.remove() }
        }
    }
}
