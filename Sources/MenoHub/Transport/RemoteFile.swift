internal import AsyncHTTPClient
internal import Foundation

/// A file of a repository, as the Hub announces it.
struct RemoteFile: Sendable {
    let name: String
    /// Its checksum, and the name of its blob in the cache.
    let etag: String
    /// Bytes; `nil` where the server does not tell.
    let size: Int?
    let url: String

    /// Asks for a file at a commit.
    static func ask(
        _ name: String, _ reference: HubReference, commit: String, _ transport: HubTransport,
        onWait: @Sendable (String) -> Void
    ) async throws -> RemoteFile {
        let settings = transport.settings
        let url = HubAddress.file(name, of: reference.address, at: commit, settings)
        let request = HubTransport.Request(method: .HEAD, url: url, leavesHub: false)
        let response = try await transport.answer(to: request, onWait: onWait) {
            .refused($0, reference, file: name, settings)
        }
        let header = { (name: String) in response.headers.first(name: name) }
        guard header("X-Repo-Commit") == commit else {
            throw HubError(
                .network, at: url, "was answered without the requested commit (X-Repo-Commit).",
                advice: "Check HF_ENDPOINT, and whether a proxy or the network's login page is in between.")
        }
        guard let etag = (header("X-Linked-Etag") ?? header("ETag")).map(bare), isBlobName(etag) else {
            throw HubError(.network, at: url, "was answered without a checksum (ETag).")
        }
        // Of a redirect, Content-Length is its own.
        let length = (300..<400).contains(response.status.code) ? nil : header("Content-Length")
        return RemoteFile(
            name: name, etag: etag, size: (header("X-Linked-Size") ?? length).flatMap { Int($0) }, url: url)
    }

    /// `W/"abc"` and `"abc"` are `abc`.
    private static func bare(_ etag: String) -> String {
        (etag.hasPrefix("W/") ? String(etag.dropFirst(2)) : etag).replacing("\"", with: "")
    }

    private static func isBlobName(_ text: String) -> Bool {
        text.wholeMatch(of: #/[A-Za-z0-9][A-Za-z0-9_-]{0,199}/#) != nil
    }
}
