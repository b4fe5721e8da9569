import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// A server, a cache of its own, and a model that is small.
struct HubFixture {
    let server: HubServer
    let folder: TemporaryFolder
    /// The files of the model, by name.
    let files: [String: Data]
    var repository: ServedRepository
    let id = "some-org/tiny.Model_1"

    var cache: URL { folder.url.appending(path: "hub") }
    /// Where the weights come from.
    var weightsPath: String { "/xorbs/" + ServedRepository.sha256(files["model.safetensors"] ?? Data()) }
    var commit: String { repository.refs["main"] ?? "" }

    init(_ change: (inout ServedRepository) -> Void = { _ in }) throws {
        folder = try TemporaryFolder()
        let random = try FileHandle(forReadingFrom: URL(filePath: "/dev/urandom"))
        let weights = try random.read(upToCount: 200_000) ?? Data()
        files = [
            "config.json": Data(#"{"model_type": "llama"}"#.utf8), "model.safetensors": weights,
            "tokenizer.json": Data(#"{"model": {}}"#.utf8), "tokenizer_config.json": Data("{}".utf8),
            "README.md": Data("# Tiny".utf8), "pytorch_model.bin": Data("pickle".utf8),
        ]
        repository = ServedRepository(id, files)
        change(&repository)
        server = try HubServer(repository)
    }

    func settings(_ environment: [String: String] = [:]) throws -> HubSettings {
        let own = [
            "HF_ENDPOINT": server.endpoint, "HF_HOME": folder.url.path, "HF_HUB_DOWNLOAD_TIMEOUT": "30",
            "HF_HUB_ETAG_TIMEOUT": "30",
        ]
        var settings = try HubSettings(own.merging(environment) { $1 })
        settings.retryDelay = .milliseconds(10)
        return settings
    }

    func hub(_ environment: [String: String] = [:]) throws -> Hub { Hub(try settings(environment)) }

    func fetch(_ text: String? = nil, _ environment: [String: String] = [:]) async throws -> Hub.Snapshot {
        try await hub(environment).snapshot(try #require(HubReference(text ?? id)))
    }
}
