internal import AsyncHTTPClient
internal import Foundation
internal import NIOCore

/// Downloads one file into the cache.
struct FileDownload: Sendable {
    let file: RemoteFile
    let reference: HubReference
    let commit: String
    let repository: CachedRepository
    let transport: HubTransport
    let progress: DownloadProgress

    private var settings: HubSettings { transport.settings }

    /// Downloads the file unless that has been done meanwhile. One process at a time downloads a blob.
    func run() async throws {
        let lock = try await FileLock.acquire(repository.lock(file.etag)) {
            progress.note("waiting for another process to download \(file.name) of \(reference.id)")
        }
        defer { withExtendedLifetime(lock) {} }
        let blob = repository.blob(file.etag)
        if FileManager.default.fileExists(atPath: blob.path) {
            progress.add(file.size ?? 0)
        } else {
            try await download(to: blob)
        }
        try repository.link(file.etag, as: file.name, at: commit)
    }

    private func download(to blob: URL) async throws {
        var partial = try PartialFile(file, beside: blob)
        progress.add(partial.count)
        var isFirst = true
        while true {
            try await fill(&partial)
            guard let fault = partial.fault() else { break }
            // The partial file may come from another version of the file, so this starts over once.
            guard isFirst else {
                partial.remove()
                throw HubError(
                    .damaged, at: "\(reference.id)/\(file.name)", "\(fault), twice.",
                    advice: "A proxy or the disk may have changed the data. The download was discarded.")
            }
            isFirst = false
            progress.note("\(file.name) of \(reference.id) \(fault): downloading it again")
            progress.add(-partial.count)
            try partial.restart()
        }
        try partial.finish(as: blob)
    }

    /// Downloads until the file is complete, resuming after interruptions.
    private func fill(_ partial: inout PartialFile) async throws {
        var backoff = Backoff(settings)
        var before = partial.count
        while partial.count != file.size {
            guard let problem = try await receive(&partial) else {
                // If the size is unknown, the end of the response is the end of the file.
                if file.size == nil { return }
                continue
            }
            if partial.count > before { backoff.reset() }
            before = partial.count
            guard let delay = backoff.next() else { throw interrupted(problem, at: partial.count) }
            try await Task.sleep(for: delay)
        }
    }

    private func interrupted(_ error: HubError, at count: Int) -> HubError {
        let size = file.size.map { " of \(ByteText.english($0))" } ?? ""
        return HubError(
            .network, at: "\(reference.id)/\(file.name)",
            "the download was interrupted at \(ByteText.english(count))\(size): \(error.text)",
            advice: "Run the command again to resume it.")
    }

    /// Receives the body of one response.
    /// - Returns: why it was interrupted; `nil` if it ended normally.
    private func receive(_ partial: inout PartialFile) async throws -> HubError? {
        let response: HTTPClientResponse
        do {
            response = try await transport.answer(
                to: .init(url: file.url, offset: partial.count, connectionRetries: nil), onWait: { progress.note($0) },
                refusal: { .refused($0, reference, file: file.name, settings) })
        } catch let error as HubError where error.code == .network {
            throw interrupted(error, at: partial.count)
        }
        if partial.count > 0, response.status != .partialContent || !continues(response, at: partial.count) {
            // The server sent the file from its first byte, or a different part than requested.
            progress.add(-partial.count)
            try partial.restart()
            guard response.status == .ok else {
                return HubError(
                    .network, at: reference.id, "the server sent a different part of the file than requested.")
            }
        }
        let before = partial.count
        do {
            for try await buffer in response.body {
                guard partial.count + buffer.readableBytes <= file.size ?? .max else {
                    throw HubError(
                        .damaged, at: "\(reference.id)/\(file.name)",
                        "the server sent more than the "
                            + "\(file.size ?? 0) bytes it announced.")
                }
                try buffer.withUnsafeReadableBytes { try partial.append($0) }
                progress.add(buffer.readableBytes)
            }
        } catch let error as HubError {
            throw error
        } catch {
            return try HubError.network(error, host: URL(string: file.url)?.host ?? "", settings)
        }
        return partial.count > before || file.size == partial.count
            ? nil : HubError(.network, at: reference.id, "the server sent nothing.")
    }

    private func continues(_ response: HTTPClientResponse, at offset: Int) -> Bool {
        response.headers.first(name: "Content-Range")?.hasPrefix("bytes \(offset)-") ?? false
    }
}
