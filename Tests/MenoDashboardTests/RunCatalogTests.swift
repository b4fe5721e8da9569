import Foundation
import MenoTesting
import Testing

@testable import MenoDashboard
@testable import MenoReporting

@Suite struct RunCatalogTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ text: String, to path: String) throws {
        let url = folder.url.appending(path: path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private static let line =
        #"{"step": 1, "loss": 2.5, "grad_norm": 1, "learning_rate": 0.1, "epoch": 1, "tokens": 5, "labels": 4}"#

    @Test func runsOfAFolderAreFoundByName() throws {
        try write(Self.line, to: "runs/a/training_progress/metrics.jsonl")
        try write(Self.line, to: "runs/日本語 の run/training_progress/metrics.jsonl")
        try write("nothing", to: "runs/notes/text.txt")
        let catalog = RunCatalog(folder.url.appending(path: "runs"))
        #expect(Set(catalog.runs.map(\.name)) == ["a", "日本語 の run"])
        #expect(RunCatalog(folder.url.appending(path: "runs/a")).runs.map(\.name) == ["a"])
        for name in ["..", ".", "", "../runs/a", "a/", "a/../a", "/etc", "notes", "A"] {
            #expect(catalog.run(named: name) == nil, "\(name)")
        }
    }

    /// A link that leads out of the folder must not be read, whatever part of a run it is.
    @Test func whatLiesOutsideIsNoRun() throws {
        try write(Self.line, to: "outside/training_progress/metrics.jsonl")
        try write("secret: 1", to: "outside/secret")
        try write(Self.line, to: "runs/a/training_progress/metrics.jsonl")
        let link = { (name: String, target: String) in
            let url = folder.url.appending(path: "runs/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                at: url, withDestinationURL: folder.url.appending(path: target))
        }
        try link("linked", "outside")
        try link("b/training_progress/metrics.jsonl", "outside/secret")
        try write(Self.line, to: "runs/c/training_progress/metrics.jsonl")
        try link("c/run.yaml", "outside/secret")
        #expect(RunCatalog(folder.url.appending(path: "runs")).runs.map(\.name) == ["a"])
    }

    @Test func addressesLeadToPages() async throws {
        try write(Self.line, to: "a/training_progress/metrics.jsonl")
        try write(Self.line, to: "b c/training_progress/metrics.jsonl")
        let catalog = RunCatalog(folder.url)
        let pages = DashboardPages(
            catalog: catalog, cache: RunCache(catalog) { _ in .init() }, language: .english)
        guard case .page(let index) = await pages.page([], nonce: "n") else { throw Missing() }
        #expect(index.contains("/runs/b%20c") && index.contains(#"<script nonce="n">"#))
        guard case .page(let run) = await pages.page(["runs", "b c"], nonce: "n") else { throw Missing() }
        #expect(run.contains("<h1>b c</h1>"))
        guard case .fragment(let body) = await pages.page(["runs", "a", "body"], nonce: "") else { throw Missing() }
        #expect(!body.contains("<script") && body.contains("<h1>a</h1>"))
        guard case .updates(let stamp) = await pages.page(["runs", "a", "updates"], nonce: "") else { throw Missing() }
        let before = await stamp()
        try write(Self.line + "\n" + Self.line.replacing("1,", with: "2,"), to: "a/training_progress/metrics.jsonl")
        #expect(await stamp() != before)
        for path in [
            ["runs"], ["runs", "x"], ["runs", "a", "x"], ["runs", "a", "body", "x"], ["etc"], ["runs", ".."],
        ] {
            guard case .notFound = await pages.page(path, nonce: "") else { throw Missing() }
        }
        // A run whose record breaks has a page that says why.
        try write("{", to: "a/training_progress/metrics.jsonl")
        guard case .fragment(let broken) = await pages.page(["runs", "a", "body"], nonce: "") else { throw Missing() }
        #expect(broken.contains("line 1"))
    }

    @Test func aRunWhoseProcessIsThereIsRunning() async throws {
        try write(Self.line, to: "a/training_progress/metrics.jsonl")
        try write(Self.line, to: "b/training_progress/metrics.jsonl")
        let catalog = RunCatalog(folder.url)
        for (state, word) in [(true, "running"), (false, "broke off"), (nil, "no end recorded")] as [(Bool?, String)] {
            let cache = RunCache(catalog, isRunning: { $0.lastPathComponent == "a" ? state : nil }) { _ in .init() }
            let pages = DashboardPages(catalog: catalog, cache: cache, language: .english)
            guard case .fragment(let body) = await pages.page(["runs", "a", "body"], nonce: ""),
                case .fragment(let all) = await pages.page(["body"], nonce: "")
            else { throw Missing() }
            #expect(body.contains(word) && all.contains(word))
        }
    }

    /// A process that is killed writes nothing: that it is gone must be news all the same.
    @Test func theEndOfAProcessIsNews() async throws {
        try write(Self.line, to: "a/training_progress/metrics.jsonl")
        let catalog = RunCatalog(folder.url)
        let lock = folder.url.appending(path: "lock")
        try write("", to: "lock")
        let cache = RunCache(catalog, isRunning: { _ in FileManager.default.fileExists(atPath: lock.path) }) { _ in
            .init()
        }
        let run = folder.url.appending(path: "a")
        #expect(try await cache.record(run).isRunning == true)
        let before = await cache.stamp(of: run)
        try FileManager.default.removeItem(at: lock)
        #expect(await cache.stamp(of: run) != before)
        #expect(try await cache.record(run).isRunning == false)
    }

    private struct Missing: Error {}
}
