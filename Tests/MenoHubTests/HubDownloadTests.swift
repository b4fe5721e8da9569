import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// Downloads that go well, and those that break off and are resumed.
@Suite struct HubDownloadTests {
    /// The requests for bytes of the weights.
    private func ranges(_ fixture: HubFixture) -> [String?] {
        fixture.server.takeRequests().filter { $0.path.contains(fixture.weightsPath) }.map(\.range)
    }

    private func blob(_ fixture: HubFixture, _ name: String = "model.safetensors") throws -> URL {
        let etag = ServedRepository.etag(name, try #require(fixture.files[name]))
        return CachedRepository(fixture.id, in: fixture.cache).blob(etag)
    }

    private func requireWhole(_ snapshot: Hub.Snapshot, _ fixture: HubFixture) throws {
        let data = try Data(contentsOf: snapshot.url.appending(path: "model.safetensors"))
        #expect(data == fixture.files["model.safetensors"])
        let repository = CachedRepository(fixture.id, in: fixture.cache)
        #expect(repository.incompleteBlobs.isEmpty)
    }

    @Test func aModelIsDownloadedOnceAndThenFound() async throws {
        let fixture = try HubFixture()
        let snapshot = try await fixture.fetch()
        #expect(snapshot.commit == fixture.commit)
        let needed = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        for name in needed {
            #expect(try Data(contentsOf: snapshot.url.appending(path: name)) == fixture.files[name])
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: snapshot.url.path).sorted() == needed)
        #expect(!fixture.server.takeRequests().isEmpty)
        #expect(try await fixture.fetch() == snapshot)
        #expect(fixture.server.takeRequests().isEmpty)
    }

    @Test func theTokenStaysWithTheHub() async throws {
        let fixture = try HubFixture { $0.isPrivate = true }
        fixture.server.accept(token: "hf_abc")
        try requireWhole(try await fixture.fetch(nil, ["HF_TOKEN": "hf_abc"]), fixture)
        let requests = fixture.server.takeRequests()
        #expect(requests.filter { !$0.isCDN }.allSatisfy { $0.authorization == "Bearer hf_abc" })
        #expect(requests.filter(\.isCDN).count == 2 && requests.filter(\.isCDN).allSatisfy { $0.authorization == nil })
        for case let path as String in try #require(FileManager.default.enumerator(atPath: fixture.folder.url.path)) {
            let data = try? Data(contentsOf: fixture.folder.url.appending(path: path))
            #expect(data?.range(of: Data("hf_abc".utf8)) == nil, "\(path)")
        }
    }

    @Test func aProxyIsAsked() async throws {
        let fixture = try HubFixture()
        let error = await #expect(throws: HubError.self) {
            try await fixture.fetch(
                nil, ["http_proxy": fixture.server.endpoint, "HF_ENDPOINT": "http://hub.invalid", "HF_TOKEN": "hf_abc"])
        }
        // This server is no proxy, and says so.
        #expect(error?.code == .network && error?.message.contains("proxy") == true, "\(String(describing: error))")
        let request = try #require(fixture.server.takeRequests().first)
        #expect(request.method == "CONNECT" && request.path == "hub.invalid:80" && request.authorization == nil)
    }

    @Test func aBrokenConnectionIsResumed() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.cut(after: 70_000), fixture.weightsPath, times: 2)
        try requireWhole(try await fixture.fetch(), fixture)
        let ranges = ranges(fixture)
        #expect(ranges.count == 3 && ranges[0] == nil)
        // What the connection brought before it broke is not asked for again.
        #expect(ranges.dropFirst().allSatisfy { $0?.hasPrefix("bytes=") == true && $0 != "bytes=0-" }, "\(ranges)")
    }

    @Test func whatIsThereOfAnEarlierDownloadIsResumed() async throws {
        let fixture = try HubFixture()
        let blob = try blob(fixture)
        try FileManager.default.createDirectory(at: blob.deletingLastPathComponent(), withIntermediateDirectories: true)
        let data = try #require(fixture.files["model.safetensors"])
        try data.prefix(150_000).write(to: URL(filePath: blob.path + ".incomplete"))
        try requireWhole(try await fixture.fetch(), fixture)
        #expect(ranges(fixture) == ["bytes=150000-"])
    }

    @Test func whatIsThereMayBeWrongOrTooLong() async throws {
        for wrong in [Data(repeating: 7, count: 150_000), Data(count: 250_000), Data(count: 200_000)] {
            let fixture = try HubFixture()
            let blob = try blob(fixture)
            try FileManager.default.createDirectory(
                at: blob.deletingLastPathComponent(), withIntermediateDirectories: true)
            try wrong.write(to: URL(filePath: blob.path + ".incomplete"))
            try requireWhole(try await fixture.fetch(), fixture)
            #expect(ranges(fixture).last == .some(nil))
        }
    }

    @Test func aServerThatHeedsNoRangeSendsTheWholeFile() async throws {
        for trouble in [Trouble.Kind.wholeFile, .wrongRange] {
            let fixture = try HubFixture()
            fixture.server.trouble(.cut(after: 70_000), fixture.weightsPath, times: 1)
            fixture.server.trouble(trouble, fixture.weightsPath, times: 1)
            try requireWhole(try await fixture.fetch(), fixture)
        }
    }

    @Test func aConnectionThatBringsNothingIsGivenUp() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.cut(after: 0), fixture.weightsPath)
        let error = await #expect(throws: HubError.self) { try await fixture.fetch() }
        #expect(error?.code == .network && error?.advice?.contains("resume it") == true, "\(String(describing: error))")
        #expect(ranges(fixture).count == 6)
    }

    @Test func aConnectionThatFallsSilentIsResumed() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.stall(after: 70_000), fixture.weightsPath, times: 1)
        var settings = try fixture.settings()
        settings.readTimeout = .seconds(1)
        let hub = Hub(settings)
        try requireWhole(try await hub.snapshot(HubReference(id: fixture.id)), fixture)
        #expect(ranges(fixture).count >= 2)
    }

    @Test func aWrongChecksumIsTriedOnceMore() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.corrupt, fixture.weightsPath, times: 1)
        try requireWhole(try await fixture.fetch(), fixture)
        #expect(ranges(fixture) == [nil, nil])

        for name in ["model.safetensors", "config.json"] {
            let damaged = try HubFixture()
            let path = name == "config.json" ? "/resolve-cache/" : damaged.weightsPath
            damaged.server.trouble(.corrupt, path, method: "GET")
            let error = await #expect(throws: HubError.self) { try await damaged.fetch() }
            #expect(
                error?.code == .damaged
                    && error?.message.contains(name == "config.json" ? "git SHA-1" : "SHA-256") == true)
            #expect(!FileManager.default.fileExists(atPath: try blob(damaged, name).path))
            #expect(CachedSnapshot(HubReference(id: damaged.id), .model, in: damaged.cache) == nil)
        }
    }

    @Test func moreBytesThanAnnouncedAreRefused() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.tooLong, fixture.weightsPath)
        let error = await #expect(throws: HubError.self) { try await fixture.fetch() }
        #expect(error?.code == .damaged, "\(String(describing: error))")
    }

    @Test func twoAtOnceDownloadOnce() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.slow(400_000), fixture.weightsPath, times: 1)
        async let first = fixture.fetch()
        async let second = fixture.fetch()
        let (a, b) = try await (first, second)
        #expect(a == b)
        try requireWhole(a, fixture)
        #expect(ranges(fixture) == [nil])
    }

    @Test func shardsComeByTheirIndex() async throws {
        let index =
            #"{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#
        let fixture = try HubFixture { repository in
            var files = repository.commits.values.first ?? [:]
            files["model.safetensors"] = nil
            files["model.safetensors.index.json"] = Data(index.utf8)
            files["model-00001-of-00002.safetensors"] = Data("first".utf8)
            files["model-00002-of-00002.safetensors"] = Data("second".utf8)
            files["model-00003-of-00002.safetensors"] = Data("another".utf8)
            repository.add(files)
        }
        let snapshot = try await fixture.fetch()
        let names = try FileManager.default.contentsOfDirectory(atPath: snapshot.url.path)
        #expect(names.filter { $0.hasSuffix(".safetensors") }.count == 2)
        _ = fixture.server.takeRequests()
        #expect(try await fixture.fetch() == snapshot)
        #expect(fixture.server.takeRequests().isEmpty)
        // A shard that is gone is fetched.
        try FileManager.default.removeItem(at: snapshot.url.appending(path: "model-00002-of-00002.safetensors"))
        #expect(try await fixture.fetch() == snapshot)
        #expect(!fixture.server.takeRequests().isEmpty)
    }

    @Test func aModelThatCannotBeComputedIsNotDownloaded() async throws {
        struct Unsupported: Error {}
        let fixture = try HubFixture()
        await #expect(throws: Unsupported.self) {
            _ = try await fixture.hub().snapshot(HubReference(id: fixture.id), approve: { _ in throw Unsupported() })
        }
        #expect(ranges(fixture).isEmpty)
    }

    @Test func aBranchThatWentOnIsRenewedWhenThatIsAskedFor() async throws {
        var fixture = try HubFixture()
        let old = try await fixture.fetch()
        var files = fixture.files
        files["config.json"] = Data(#"{"model_type": "qwen3"}"#.utf8)
        let commit = fixture.repository.add(files)
        fixture.server.set(fixture.repository)
        #expect(try await fixture.fetch() == old)
        _ = fixture.server.takeRequests()
        let new = try await fixture.hub().snapshot(HubReference(id: fixture.id), isRenewed: true)
        #expect(new.commit == commit && new.commit != old.commit)
        // The weights are the same, and are not downloaded again.
        #expect(ranges(fixture).isEmpty)
        #expect(try await fixture.fetch("\(fixture.id)@\(old.commit)") == old)
    }

    @Test func aForecastWritesNothing() async throws {
        let fixture = try HubFixture()
        let forecast = try #require(try await fixture.hub().forecast(HubReference(id: fixture.id)))
        #expect(forecast.commit == fixture.commit && forecast.files.count == 4)
        #expect(forecast.missing == forecast.files.reduce(0) { $0 + ($1.size ?? 0) } && forecast.missing > 200_000)
        #expect(forecast.free ?? 0 > 0)
        #expect(!FileManager.default.fileExists(atPath: fixture.cache.path))
        _ = try await fixture.fetch()
        #expect(try await fixture.hub().forecast(HubReference(id: fixture.id)) == nil)
    }
}
