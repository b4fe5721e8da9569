internal import AsyncHTTPClient
internal import Foundation
internal import MenoFormats
internal import NIOCore

/// What the Hub says about a repository at a revision.
struct RepositoryInformation: Sendable {
    let commit: String
    /// The names of all files.
    let files: [String]

    private static let sizeLimit = 64 << 20

    static func fetch(
        _ reference: HubReference, _ transport: HubTransport, onWait: @Sendable (String) -> Void
    ) async throws -> RepositoryInformation {
        let settings = transport.settings
        let revision = HubAddress.escaped(reference.requestedRevision, keepsSlashes: false)
        let url =
            "\(settings.endpoint)/api/\(reference.isDataset ? "datasets" : "models")/\(reference.id)/revision/\(revision)"
        let response = try await transport.answer(to: .init(url: url), onWait: onWait) {
            .refused($0, reference, settings)
        }
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: sizeLimit)
        } catch is NIOTooManyBytesError {
            throw notHub(settings)
        } catch {
            throw try HubError.network(error, host: URL(string: url)?.host ?? "", settings)
        }
        guard let json = try? JSONReader.value(of: String(buffer: body)), let commit = json["sha"]?.string,
            HubReference.isCommit(commit)
        else { throw notHub(settings) }
        let names = (json["siblings"]?.array ?? []).compactMap { $0["rfilename"]?.string }
        // Names become paths: one that leads elsewhere is not taken.
        return RepositoryInformation(commit: commit, files: names.filter(HubReference.isFileName))
    }

    private static func notHub(_ settings: HubSettings) -> HubError {
        HubError(
            .network, at: settings.endpoint, "does not answer like the Hugging Face Hub.",
            advice: "Check HF_ENDPOINT, and whether a proxy or the network's login page is in between.")
    }
}

enum HubAddress {
    /// A text as a part of an address.
    static func escaped(_ text: String, keepsSlashes: Bool) -> String {
        var allowed = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        if keepsSlashes { allowed.insert("/") }
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }

    static func file(_ name: String, of id: String, at revision: String, _ settings: HubSettings) -> String {
        let (revision, name) = (escaped(revision, keepsSlashes: false), escaped(name, keepsSlashes: true))
        return "\(settings.endpoint)/\(id)/resolve/\(revision)/\(name)"
    }
}
