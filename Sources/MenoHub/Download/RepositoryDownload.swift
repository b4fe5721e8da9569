internal import Foundation
internal import MenoFormats

/// What a download will transfer, and what space it needs.
package struct DownloadForecast: Sendable {
    package struct File: Sendable {
        package let name: String
        /// `nil` if the server does not report it.
        package let size: Int?
        /// Whether it is already in the cache, perhaps under another name.
        package let isCached: Bool
    }

    package let reference: HubReference
    package let commit: String
    package let files: [File]
    /// Bytes still to be downloaded, not counting existing parts of files.
    package let missing: Int
    /// Free bytes on the cache's file system.
    package let free: Int?
}

/// Downloads the required files of a repository into the cache.
struct RepositoryDownload: Sendable {
    let reference: HubReference
    let parts: HubParts
    let transport: HubTransport
    let events: @Sendable (HubEvent) -> Void
    /// Called with the snapshot's folder once everything but the weights is there. An error it throws ends the
    /// download.
    let approve: @Sendable (URL) throws -> Void

    private var settings: HubSettings { transport.settings }
    private var repository: CachedRepository { CachedRepository(reference, in: settings.cache) }
    private var note: @Sendable (String) -> Void { { events(.note($0)) } }

    /// - Returns: the commit, and the file meant by a reference with a selector.
    func run() async throws -> (commit: String, file: String?) {
        let information = try await RepositoryInformation.fetch(reference, transport, onWait: note)
        let commit = information.commit
        let choice = try FileChoice(reference, parts, names: information.files)
        let companions = try await ask(choice.companions, commit)
        try repository.create()
        try repository.record(commit, of: reference.requestedRevision)
        for name in choice.absences { repository.recordAbsence(of: name, at: commit) }
        try await download(companions, commit, isForecast: false)
        try approve(repository.snapshot(commit))
        let weights = try await ask(weights(choice, commit), commit)
        try await download(weights, commit, isForecast: true)
        if parts == .dataset { repository.recordAbsence(of: DatasetFileNames.completionMark(reference), at: commit) }
        return (commit, choice.only)
    }

    /// What ``run()`` would download. Nothing is written; the shards of an index are known by name.
    func forecast() async throws -> DownloadForecast {
        let information = try await RepositoryInformation.fetch(reference, transport, onWait: note)
        let choice = try FileChoice(reference, parts, names: information.files)
        let shards = choice.index == nil ? [] : information.files.filter(FileChoice.isShard)
        let files = try await ask(choice.companions + choice.weights + shards, information.commit)
        return forecast(files, information.commit)
    }

    private func weights(_ choice: FileChoice, _ commit: String) throws -> [String] {
        guard let index = choice.index else { return choice.weights }
        let url = repository.snapshot(commit).appending(path: index)
        do {
            return choice.weights + (try SafetensorsIndex(contentsOf: url).shards)
        } catch let error as FormatError {
            throw HubError(.damaged, at: "\(reference.id)/\(index)", error.message)
        }
    }

    /// Requests the sizes and checksums of files.
    private func ask(_ names: [String], _ commit: String) async throws -> [RemoteFile] {
        try await inParallel(names) { name in
            try await RemoteFile.ask(name, reference, commit: commit, transport, onWait: note)
        }
    }

    private func forecast(_ files: [RemoteFile], _ commit: String) -> DownloadForecast {
        let isCached = { (file: RemoteFile) in
            FileManager.default.fileExists(atPath: repository.blob(file.etag).path)
        }
        let missing = files.filter { !isCached($0) }.map { file in
            let partial = repository.blob(file.etag).path + ".incomplete"
            let there = (try? FileManager.default.attributesOfItem(atPath: partial))?[.size] as? Int ?? 0
            return max(0, (file.size ?? 0) - there)
        }
        return DownloadForecast(
            reference: reference, commit: commit,
            files: files.map { .init(name: $0.name, size: $0.size, isCached: isCached($0)) },
            missing: missing.reduce(0, +), free: DiskSpace.free(at: settings.cache))
    }

    private func download(_ files: [RemoteFile], _ commit: String, isForecast: Bool) async throws {
        let files = files.filter { repository.presence(of: $0.name, at: commit) != .present }
        guard !files.isEmpty else { return }
        let forecast = forecast(files, commit)
        if let free = forecast.free, free < forecast.missing {
            throw HubError(
                .noSpace, at: reference.id,
                "\(ByteText.english(forecast.missing)) remain to be downloaded, but \(settings.cache.path) has only "
                    + "\(ByteText.english(free)) free.",
                advice: "Free some space, or set HF_HUB_CACHE to a folder on another disk.")
        }
        if isForecast, forecast.missing > 0 {
            let free = forecast.free.map { " (\(ByteText.english($0)) free)" } ?? ""
            note("downloading \(reference): \(ByteText.english(forecast.missing)) into \(settings.cache.path)\(free)")
        }
        let progress = DownloadProgress(reference.id, events)
        progress.begin(total: files.reduce(0) { $0 + ($1.size ?? 0) })
        _ = try await inParallel(files) { file in
            try await FileDownload(
                file: file, reference: reference, commit: commit, repository: repository, transport: transport,
                progress: progress
            ).run()
        }
        if isForecast { progress.finish() }
        try? WholeFile.synchronize(repository.blobs)
    }

    /// Applies a function to each element, several at a time, and returns the results in order.
    private func inParallel<Item: Sendable, Result: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws -> Result
    ) async throws -> [Result] {
        try await withThrowingTaskGroup(of: (Int, Result).self) { group in
            var results = [Result?](repeating: nil, count: items.count)
            for (index, item) in items.enumerated() {
                if index >= settings.parallelFiles, let (done, result) = try await group.next() {
                    results[done] = result
                }
                group.addTask { (index, try await body(item)) }
            }
            for try await (done, result) in group { results[done] = result }
            return results.compactMap { $0 }
        }
    }
}

enum DiskSpace {
    /// Bytes that this user can still write to the file system of a folder, which may not exist yet.
    static func free(at folder: URL) -> Int? {
        var url = folder.standardizedFileURL
        while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
        var information = statvfs()
        guard statvfs(url.path, &information) == 0 else { return nil }
        let (blocks, size) = (UInt64(information.f_bavail), UInt64(information.f_frsize))
        return Int(clamping: blocks.multipliedReportingOverflow(by: size).partialValue)
    }
}
