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
    var commit: String { repository.refs["main"] ?? "" }

    init(_ change: (inout ServedRepository) -> Void = { _ in }) throws {
        folder = try TemporaryFolder()
        var random = SystemRandomNumberGenerator()
        let weights = Data((0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) })
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
        var settings = try HubSettings(
            ["HF_ENDPOINT": server.endpoint, "HF_HOME": folder.url.path, "HF_HUB_DOWNLOAD_TIMEOUT": "2"].merging(
                environment) { $1 })
        settings.retryDelay = .milliseconds(10)
        return settings
    }

    func hub(_ environment: [String: String] = [:]) throws -> Hub { Hub(try settings(environment)) }

    func fetch(_ text: String? = nil, _ environment: [String: String] = [:]) async throws -> Hub.Snapshot {
        try await hub(environment).snapshot(try #require(HubReference(text ?? id)))
    }
}

@Suite struct HubTests {
    @Test func aModelIsDownloadedOnceAndThenFound() async throws {
        let fixture = try HubFixture()
        let snapshot = try await fixture.fetch()
        #expect(snapshot.commit == fixture.commit)
        for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            #expect(try Data(contentsOf: snapshot.url.appending(path: name)) == fixture.files[name])
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: snapshot.url.path)
        #expect(names.count == 4)
        #expect(!fixture.server.takeRequests().isEmpty)
        #expect(try await fixture.fetch() == snapshot)
        #expect(fixture.server.takeRequests().isEmpty)
    }
}
