import Foundation
import HubServer
import MenoTesting
import Testing

@testable import MenoHub

/// The same cache as `huggingface_hub`, with that library itself, where `MENO_PYTHON` or `python3` has it.
@Suite(.enabled(if: Python.path != nil, "no Python with huggingface_hub")) struct PythonHubTests {
    private static let names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]

    @Test func pythonFindsWhatWeWrote() async throws {
        let fixture = try HubFixture()
        _ = try await fixture.fetch()
        let found = try Python.run(
            ["find", fixture.cache.path, fixture.id, fixture.commit, "chat_template.jinja"] + Self.names)
        let expected = Self.names.map { "\($0) \(fixture.files[$0]?.count ?? 0)" }
        let model = try #require(CachedModel.all(in: fixture.cache).first)
        #expect(found.split(separator: "\n").map(String.init) == expected + ["bytes \(model.size)"])
    }

    @Test func weFindWhatPythonWrote() async throws {
        let fixture = try HubFixture()
        let environment = ["HF_ENDPOINT": fixture.server.endpoint]
        for mode in [["files"], ["snapshot"]] {
            let cache = fixture.folder.url.appending(path: mode[0])
            let absent = mode == ["files"] ? ["chat_template.jinja"] : []
            _ = try Python.run(mode + [cache.path, fixture.id] + absent + Self.names, environment)
            let snapshot = try await fixture.fetch(nil, ["HF_HUB_CACHE": cache.path, "HF_HUB_OFFLINE": "1"])
            #expect(snapshot.commit == fixture.commit)
            for name in Self.names {
                #expect(try Data(contentsOf: snapshot.url.appending(path: name)) == fixture.files[name])
            }
            if mode == ["files"] {
                let repository = CachedRepository(fixture.id, in: cache)
                #expect(repository.presence(of: "chat_template.jinja", at: fixture.commit) == .absent)
            }
            // The same blobs under the same names, reached by the same links.
            _ = try await fixture.fetch()
            for folder in ["blobs", "snapshots/\(fixture.commit)"] {
                #expect(try links(fixture.cache, folder) == links(cache, folder))
            }
        }
    }

    /// The names in a folder of a repository, and what they are links to.
    private func links(_ cache: URL, _ folder: String) throws -> [String: String] {
        let url = cache.appending(path: "models--some-org--tiny.Model_1/\(folder)")
        let names = try FileManager.default.contentsOfDirectory(atPath: url.path)
        return Dictionary(
            uniqueKeysWithValues: names.map {
                ($0, (try? FileManager.default.destinationOfSymbolicLink(atPath: url.appending(path: $0).path)) ?? "")
            })
    }

    @Test func aLockOfPythonIsWaitedFor() async throws {
        let fixture = try HubFixture()
        let etag = ServedRepository.etag("config.json", try #require(fixture.files["config.json"]))
        let (holder, output) = try Python.start(["hold", fixture.cache.path, fixture.id, etag, "0.7"])
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("held".utf8))
        let start = ContinuousClock.now
        _ = try await fixture.fetch()
        #expect(ContinuousClock.now - start > .milliseconds(400))
        holder.waitUntilExit()
    }
}

private enum Python {
    static let path: String? = {
        let candidates = [
            ProcessInfo.processInfo.environment["MENO_PYTHON"], "python3",
            "\(NSHomeDirectory())/.cache/meno-references/bin/python",
        ].compactMap { $0 }
        return candidates.first { name in
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [name, "-c", "import huggingface_hub"]
            process.standardError = FileHandle.nullDevice
            guard (try? process.run()) != nil else { return false }
            process.waitUntilExit()
            return process.terminationStatus == 0
        }
    }()

    static func start(_ arguments: [String], _ environment: [String: String] = [:]) throws -> (Process, Pipe) {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../Reference/compare_hub_cache.py").standardizedFileURL
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [path ?? "", script.path] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        return (process, output)
    }

    /// - Returns: what it prints.
    static func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> String {
        let (process, output) = try start(arguments, environment)
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments)")
        return text
    }
}
