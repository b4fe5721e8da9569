import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// The folder that Hugging Face's programs share.
@Suite struct HubCacheTests {
    private func offline(_ fixture: HubFixture, _ text: String? = nil) async throws -> Hub.Snapshot {
        try await fixture.fetch(text, ["HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"])
    }

    @Test func theLayout() async throws {
        let fixture = try HubFixture()
        _ = try await fixture.fetch()
        let root = fixture.cache.appending(path: "models--some-org--tiny.Model_1")
        #expect(try String(contentsOf: root.appending(path: "refs/main"), encoding: .utf8) == fixture.commit)
        let weights = root.appending(path: "snapshots/\(fixture.commit)/model.safetensors")
        let etag = ServedRepository.sha256(try #require(fixture.files["model.safetensors"]))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: weights.path) == "../../blobs/\(etag)")
        let config = ServedRepository.gitSHA1(try #require(fixture.files["config.json"]))
        #expect(FileManager.default.fileExists(atPath: root.appending(path: "blobs/\(config)").path))
        for name in ["chat_template.jinja", "model.safetensors.index.json", "generation_config.json"] {
            #expect(
                FileManager.default.fileExists(atPath: root.appending(path: ".no_exist/\(fixture.commit)/\(name)").path)
            )
        }
        let lock = fixture.cache.appending(path: ".locks/models--some-org--tiny.Model_1/\(etag).lock")
        #expect(FileManager.default.fileExists(atPath: lock.path))
        let tag = try String(contentsOf: fixture.cache.appending(path: "CACHEDIR.TAG"), encoding: .utf8)
        #expect(tag.hasPrefix("Signature: 8a477f597d28d172789f06886806bc55\n"))
    }

    @Test func withoutANetworkTheCacheIsTaken() async throws {
        let fixture = try HubFixture()
        let missing = await #expect(throws: HubError.self) { try await offline(fixture) }
        #expect(missing?.code == .offline && missing?.message.contains("HF_HUB_OFFLINE") == true)
        let snapshot = try await fixture.fetch()
        #expect(try await offline(fixture) == snapshot)
        #expect(try await offline(fixture, "\(fixture.id)@\(fixture.commit)") == snapshot)
        await #expect(throws: HubError.self) { try await offline(fixture, "\(fixture.id)@v1") }
    }

    /// As `snapshot_download` leaves it: what the repository does not have is not recorded.
    @Test func whereItIsNotKnownWhetherMoreIsThereTheHubIsAsked() async throws {
        let fixture = try HubFixture()
        let snapshot = try await fixture.fetch()
        let root = fixture.cache.appending(path: "models--some-org--tiny.Model_1")
        try FileManager.default.removeItem(at: root.appending(path: ".no_exist"))
        try FileManager.default.removeItem(at: snapshot.url.appending(path: "tokenizer_config.json"))
        #expect(try await offline(fixture) == snapshot)
        // A network that fails is no reason not to use what is there.
        #expect(try await fixture.fetch(nil, ["HF_ENDPOINT": "http://127.0.0.1:9"]) == snapshot)
        _ = fixture.server.takeRequests()
        #expect(try await fixture.fetch() == snapshot)
        #expect(!fixture.server.takeRequests().isEmpty)
        #expect(FileManager.default.fileExists(atPath: snapshot.url.appending(path: "tokenizer_config.json").path))
        #expect(try await fixture.fetch() == snapshot)
        #expect(fixture.server.takeRequests().isEmpty)
    }

    @Test func onlyTheTokenizer() async throws {
        let fixture = try HubFixture()
        let hub = try fixture.hub()
        let snapshot = try await hub.snapshot(HubReference(id: fixture.id), parts: .tokenizer)
        let names = try FileManager.default.contentsOfDirectory(atPath: snapshot.url.path).sorted()
        #expect(names == ["config.json", "tokenizer.json", "tokenizer_config.json"])
        await #expect(throws: HubError.self) { try await offline(fixture) }
        #expect(try await fixture.fetch() == snapshot)
    }

    @Test func anAdapter() async throws {
        let fixture = try HubFixture {
            $0.add([
                "adapter_config.json": Data("{}".utf8), "adapter_model.safetensors": Data("x".utf8),
                "README.md": Data(),
            ])
        }
        let hub = try fixture.hub()
        let snapshot = try await hub.snapshot(HubReference(id: fixture.id), parts: .adapter)
        let names = try FileManager.default.contentsOfDirectory(atPath: snapshot.url.path).sorted()
        #expect(names == ["adapter_config.json", "adapter_model.safetensors"])
        // In a model's place, its configuration alone, which names the model.
        let other = try HubFixture { $0.add(["adapter_config.json": Data("{}".utf8), "adapter_model.bin": Data()]) }
        let folder = try await other.fetch().url
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["adapter_config.json"])
        let error = await #expect(throws: HubError.self) {
            try await other.hub().snapshot(HubReference(id: other.id), parts: .adapter)
        }
        #expect(error?.message.contains("adapter_model.bin") == true)
    }

    @Test func ggufFiles() async throws {
        let fixture = try HubFixture {
            $0.add([
                "config.json": Data("{}".utf8), "m-Q4_K_M.gguf": Data("four".utf8),
                "sub/m-Q8_0.gguf": Data("eight".utf8),
            ])
        }
        let four = try await fixture.fetch("\(fixture.id):Q4_K_M")
        #expect(four.url.lastPathComponent == "m-Q4_K_M.gguf")
        #expect(try Data(contentsOf: four.url) == Data("four".utf8))
        let eight = try await fixture.fetch("\(fixture.id):sub/m-Q8_0.gguf")
        #expect(try Data(contentsOf: eight.url) == Data("eight".utf8))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: eight.url.path).hasPrefix("../../../blobs/"))
        #expect(try await offline(fixture, "\(fixture.id):Q8_0") == eight)
        let error = await #expect(throws: HubError.self) { try await fixture.fetch() }
        #expect(error?.message.contains("sub/m-Q8_0.gguf") == true)
    }

    // MARK: Listing and removing

    @Test func whatTheCacheHolds() async throws {
        var fixture = try HubFixture()
        _ = try await fixture.fetch()
        var files = fixture.files
        files["config.json"] = Data(#"{"model_type": "qwen3"}"#.utf8)
        let commit = fixture.repository.add(files, to: "v2")
        fixture.server.set(fixture.repository)
        _ = try await fixture.fetch("\(fixture.id)@v2")
        // Of other programs.
        for name in ["datasets--a--b", "models--", ".locks", "version.txt"] {
            try FileManager.default.createDirectory(
                at: fixture.cache.appending(path: name), withIntermediateDirectories: true)
        }
        let models = CachedModel.all(in: fixture.cache)
        let model = try #require(models.first)
        #expect(models.count == 1 && model.id == fixture.id && model.revisions.count == 2)
        #expect(Set(model.revisions.map(\.names)) == [["main"], ["v2"]])
        #expect(model.size < model.revisions.reduce(0) { $0 + $1.size }, "weights that both have count once")

        // One revision goes, with what is its own.
        let one = try CacheRemoval(HubReference(id: fixture.id, revision: "v2"), in: fixture.cache)
        #expect(one.size == files["config.json"]?.count)
        try one.run()
        let rest = try #require(CachedModel.all(in: fixture.cache).first)
        #expect(rest.revisions.map(\.commit) == [fixture.commit] && rest.size == model.size - one.size)
        #expect(try await offline(fixture).commit == fixture.commit)
        #expect(throws: HubError.self) {
            try CacheRemoval(HubReference(id: fixture.id, revision: commit), in: fixture.cache)
        }

        let all = try CacheRemoval(HubReference(id: fixture.id), in: fixture.cache)
        #expect(all.size == rest.size)
        try all.run()
        #expect(CachedModel.all(in: fixture.cache).isEmpty)
        #expect(throws: HubError.self) { try CacheRemoval(HubReference(id: fixture.id), in: fixture.cache) }
    }

    @Test func whatIsBeingDownloadedIsNotRemoved() async throws {
        let fixture = try HubFixture()
        _ = try await fixture.fetch()
        let repository = CachedRepository(fixture.id, in: fixture.cache)
        let etag = ServedRepository.sha256(try #require(fixture.files["model.safetensors"]))
        let lock = try #require(try FileLock.attempt(repository.lock(etag)))
        let removal = try CacheRemoval(HubReference(id: fixture.id), in: fixture.cache)
        #expect(throws: HubError.self) { try removal.run() }
        withExtendedLifetime(lock) {}
    }

    @Test func aCacheThatMayOnlyBeRead() async throws {
        let fixture = try HubFixture()
        let snapshot = try await fixture.fetch()
        let root = fixture.cache.appending(path: "models--some-org--tiny.Model_1")
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: root.path)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: root.path) }
        #expect(try await fixture.fetch() == snapshot)
    }
}
