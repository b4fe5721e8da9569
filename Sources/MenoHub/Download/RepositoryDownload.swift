internal import Foundation
internal import MenoFormats

/// What a download will bring, and what it needs.
package struct DownloadForecast: Sendable {
    package struct File: Sendable {
        package let name: String
        /// `nil` where the server does not tell.
        package let size: Int?
        /// Whether the cache has it already, perhaps under another name.
        package let isCached: Bool
    }

    package let reference: HubReference
    package let commit: String
    package let files: [File]
    /// Bytes that are still to come; parts of files that are there count as there.
    package let missing: Int
    /// Bytes that are free where the cache lies.
    package let free: Int?
}

/// Brings the files of a repository that are needed into the cache.
struct RepositoryDownload: Sendable {
    let reference: HubReference
    let parts: HubParts
    let transport: HubTransport
    let events: @Sendable (HubEvent) -> Void
    /// Called with the snapshot's folder when all but the weights is there. What it throws ends the download.
    let approve: @Sendable (URL) throws -> Void

    private var settings: HubSettings { transport.settings }
    private var repository: CachedRepository { CachedRepository(reference, in: settings.cache) }
    private var note: @Sendable (String) -> Void { { events(.note($0)) } }

    /// - Returns: the commit, and the file that a reference with a selector means.
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

    /// What ``run()`` would bring. Nothing is written; the shards of an index are known by their names.
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

    /// Asks for the sizes and checksums of files.
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

    /// Does something for each, some of them at once; the results are in order.
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
    /// Bytes that this user may still write to the disk of a folder, which need not be there yet.
    static func free(at folder: URL) -> Int? {
        var url = folder.standardizedFileURL
        while url.path != "/", !FileManager.default.fileExists(atPath: url.path) { url.deleteLastPathComponent() }
        var information = statvfs()
        guard statvfs(url.path, &information) == 0 else { return nil }
        let (blocks, size) = (UInt64(information.f_bavail), UInt64(information.f_frsize))
        return Int(clamping: blocks.multipliedReportingOverflow(by: size).partialValue)
    }
}
