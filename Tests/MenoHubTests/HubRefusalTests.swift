import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// Repositories that cannot be had, and servers that do not answer: what the user is told.
@Suite struct HubRefusalTests {
    private func refusal(
        _ fixture: HubFixture, _ text: String? = nil, _ environment: [String: String] = [:]
    ) async throws -> HubError {
        let error = await #expect(throws: HubError.self) { try await fixture.fetch(text, environment) }
        return try #require(error)
    }

    @Test func aMissingRepository() async throws {
        let fixture = try HubFixture()
        let anonymous = try await refusal(fixture, "some-org/other")
        #expect(anonymous.code == .notFound && anonymous.place == "some-org/other")
        #expect(anonymous.description.contains("HF_TOKEN") && anonymous.description.contains("file or folder"))
        fixture.server.accept(token: "hf_x")
        let known = try await refusal(fixture, "some-org/other", ["HF_TOKEN": "hf_x"])
        #expect(known.code == .notFound && known.description.contains("spelling"))
    }

    @Test func aMissingRevision() async throws {
        let fixture = try HubFixture()
        let error = try await refusal(fixture, "\(fixture.id)@v9")
        #expect(error.code == .notFound && error.message.contains("\"v9\""), "\(error)")
        let commit = try await refusal(fixture, "\(fixture.id)@\(String(repeating: "0", count: 40))")
        #expect(commit.code == .notFound, "\(commit)")
    }

    @Test func aGatedRepository() async throws {
        let fixture = try HubFixture { $0.isGated = true }
        let anonymous = try await refusal(fixture)
        #expect(anonymous.code == .forbidden && anonymous.message.contains("gated"))
        #expect(anonymous.advice?.contains("\(fixture.server.endpoint)/\(fixture.id)") == true)
        #expect(anonymous.advice?.contains("hf auth login") == true)
        // Of a user who has not accepted the conditions.
        fixture.server.accept(token: "hf_x")
        fixture.server.trouble(.status(403, ["X-Error-Code": "GatedRepo"]), "/resolve/")
        let known = try await refusal(fixture, nil, ["HF_TOKEN": "hf_x"])
        #expect(known.code == .forbidden && known.advice?.contains("HF_TOKEN") == true, "\(known)")
        fixture.server.clearTroubles()
        #expect(try await fixture.fetch(nil, ["HF_TOKEN": "hf_x"]).commit == fixture.commit)
    }

    @Test func aWrongToken() async throws {
        let fixture = try HubFixture()
        fixture.server.accept(token: "hf_right")
        let error = try await refusal(fixture, nil, ["HF_TOKEN": "hf_wrong"])
        #expect(error.code == .forbidden && error.message.contains("HF_TOKEN"), "\(error)")
        #expect(!error.description.contains("hf_wrong"))
    }

    @Test func aTokenThatMayNot() async throws {
        let fixture = try HubFixture()
        fixture.server.accept(token: "hf_fineGrained")
        let words = "Token hf_fineGrained may not read public gated repositories"
        fixture.server.trouble(.status(403, ["X-Error-Message": words]), "/api/models/")
        let error = try await refusal(fixture, nil, ["HF_TOKEN": "hf_fineGrained"])
        #expect(error.code == .forbidden && error.message.contains("public gated repositories"), "\(error)")
        #expect(!error.description.contains("hf_fineGrained"))
    }

    @Test func aRateLimitIsWaitedFor() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.status(429, ["Retry-After": "1"]), "/api/models/", times: 1)
        let start = ContinuousClock.now
        _ = try await fixture.fetch()
        #expect(ContinuousClock.now - start >= .seconds(1))

        fixture.server.trouble(.status(429, ["RateLimit": "\"api\";r=0;t=5000"]), "/api/models/")
        let hub = try fixture.hub(["HF_HUB_CACHE": fixture.folder.url.appending(path: "other").path])
        let error = await #expect(throws: HubError.self) { try await hub.snapshot(HubReference(id: fixture.id)) }
        #expect(
            error?.code == .rateLimited && error?.message.contains("5000 s") == true, "\(String(describing: error))")
        #expect(error?.advice?.contains("token") == true)
    }

    @Test func aServerThatFails() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.status(503), "/api/models/", times: 3)
        fixture.server.trouble(.status(502), fixture.weightsPath, times: 2)
        _ = try await fixture.fetch()
        let other = try HubFixture()
        other.server.trouble(.status(500), "/api/models/")
        let error = try await refusal(other)
        #expect(error.code == .network && error.message.contains("500"), "\(error)")
        #expect(error.place == other.id, "what was asked for is named")
        #expect(other.server.takeRequests().count == 6)
    }

    @Test func aServerThatCannotBeReached() async throws {
        let fixture = try HubFixture()
        // Nothing listens there.
        let refused = try await refusal(fixture, nil, ["HF_ENDPOINT": "http://127.0.0.1:9"])
        #expect(refused.code == .network && refused.message.contains("refused"), "\(refused)")
        let unknown = try await refusal(fixture, nil, ["HF_ENDPOINT": "http://no-such-host.invalid"])
        #expect(unknown.code == .network && unknown.advice?.contains("HF_ENDPOINT") == true, "\(unknown)")
    }

    @Test func aServerThatDoesNotAnswer() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(.stall(after: 0), "/api/models/")
        var settings = try fixture.settings()
        (settings.readTimeout, settings.answerTimeout, settings.retries) = (.milliseconds(200), .milliseconds(200), 1)
        let hub = Hub(settings)
        let error = await #expect(throws: HubError.self) { try await hub.snapshot(HubReference(id: fixture.id)) }
        #expect(error?.code == .network, "\(String(describing: error))")
    }

    @Test func aServerThatIsNoHub() async throws {
        let page = try HubFixture()
        page.server.trouble(.status(200), "/api/models/")
        #expect(try await refusal(page).message.contains("Hugging Face Hub"))
        let bare = try HubFixture()
        bare.server.trouble(.without("X-Repo-Commit"), "/resolve")
        #expect(try await refusal(bare).message.contains("X-Repo-Commit"))
        let noETag = try HubFixture()
        noETag.server.trouble(.without("ETag"), "config.json")
        #expect(try await refusal(noETag).message.contains("ETag"))
    }

    @Test func pickledWeightsAreRefusedByName() async throws {
        let fixture = try HubFixture { repository in
            var files = repository.commits.values.first ?? [:]
            files["model.safetensors"] = nil
            repository.add(files)
        }
        let error = try await refusal(fixture)
        #expect(error.code == .unsupported && error.message.contains("pytorch_model.bin"))
        #expect(error.advice?.contains("refs/pr/") == true)
        #expect(fixture.server.takeRequests().allSatisfy { !$0.path.contains(".bin") })
    }

    @Test func namesOfFilesLeadNowhereElse() async throws {
        let fixture = try HubFixture { $0.add(["config.json": Data("{}".utf8), "../../evil.gguf": Data("x".utf8)]) }
        #expect(try await refusal(fixture).code == .unsupported)
    }

    @Test func aMovedRepositoryIsFollowed() async throws {
        let fixture = try HubFixture()
        fixture.server.move("old-org/tiny", to: fixture.id)
        #expect(try await fixture.fetch("old-org/tiny").commit == fixture.commit)
    }

    @Test func aFullDiskIsForeseen() async throws {
        let fixture = try HubFixture()
        fixture.server.trouble(
            .with("X-Linked-Size", "9000000000000000"), "/resolve/\(fixture.commit)/model.safetensors")
        let error = try await refusal(fixture)
        #expect(error.code == .noSpace && error.message.contains("9000 TB"), "\(error)")
        #expect(fixture.server.takeRequests().allSatisfy { !$0.path.contains(fixture.weightsPath) })
    }
}
