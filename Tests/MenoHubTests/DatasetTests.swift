import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

@Suite struct DatasetTests {
    private static let files = [
        "README.md": "# Sums", "data/train-00000-of-00001.jsonl": "{\"text\": \"a\"}\n",
        "data/test.csv.gz": "not read here", ".hidden/x.jsonl": "{}", "more/extra.json": "[]", "make.py": "print()",
    ].mapValues { Data($0.utf8) }

    private let folder: TemporaryFolder
    private let server: HubServer

    init() throws {
        folder = try TemporaryFolder()
        var repository = ServedRepository("some-org/sums", Self.files)
        repository.isDataset = true
        server = try HubServer(repository)
    }

    private func hub(_ environment: [String: String] = [:]) throws -> Hub {
        let own = ["HF_ENDPOINT": server.endpoint, "HF_HOME": folder.url.path]
        var settings = try HubSettings(own.merging(environment) { $1 })
        settings.retryDelay = .milliseconds(10)
        return Hub(settings)
    }

    private func reference(_ text: String) throws -> HubReference {
        var reference = try #require(HubReference(text))
        reference.isDataset = true
        return reference
    }

    @Test func theFilesOfRecordsAreDownloadedOnce() async throws {
        let snapshot = try await hub().snapshot(try reference("some-org/sums"), parts: .dataset)
        #expect(snapshot.url.path.contains("/datasets--some-org--sums/snapshots/"))
        let names = try FileManager.default.subpathsOfDirectory(atPath: snapshot.url.path).sorted()
        #expect(
            names == [
                "data", "data/test.csv.gz", "data/train-00000-of-00001.jsonl", "more", "more/extra.json",
            ])
        #expect(!server.takeRequests().isEmpty)
        _ = try await hub().snapshot(try reference("some-org/sums"), parts: .dataset)
        _ = try await hub(["HF_HUB_OFFLINE": "1"]).snapshot(try reference("some-org/sums"), parts: .dataset)
        #expect(server.takeRequests().isEmpty)
    }

    @Test func aSelectorNamesAFileOrAFolder() async throws {
        let snapshot = try await hub().snapshot(try reference("some-org/sums:more"), parts: .dataset)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: snapshot.url.path).sorted() == [
                "more", "more/extra.json",
            ])
        // What is there is not all of it.
        let whole = try await hub().snapshot(try reference("some-org/sums"), parts: .dataset)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: whole.url.path).count == 5)
        await #expect(throws: HubError.self) {
            try await hub().snapshot(try reference("some-org/sums:none"), parts: .dataset)
        }
    }

    @Test func aModelIsNoDataset() async throws {
        await #expect(throws: HubError.self) {
            try await hub().snapshot(try #require(HubReference("some-org/sums")), parts: .model)
        }
    }
}
