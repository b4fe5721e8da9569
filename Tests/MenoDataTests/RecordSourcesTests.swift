import Foundation
import MenoTesting
import Testing

@testable import MenoData

@Suite struct RecordSourcesTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func path(_ name: String) -> String { folder.url.appending(path: name).path }

    @discardableResult
    private func write(_ name: String, _ texts: [String]) throws -> String {
        let url = folder.url.appending(path: name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(texts.map { "{\"text\": \"\($0)\"}\n" }.joined().utf8).write(to: url)
        return url.path
    }

    private func texts(_ sources: [DataSource], seed: UInt64 = 0) throws -> [String] {
        try RecordFile.read(RecordSources(sources, seed: seed)).records.map {
            if case .text(let text) = $0.content { text } else { "?" }
        }
    }

    @Test func aFolderAPatternAndAListAreReadInOrder() throws {
        try write("d/b.jsonl", ["b"])
        try write("d/a/x.jsonl", ["a"])
        try write("d/a/.hidden.jsonl", ["no"])
        try Data("# no".utf8).write(to: folder.url.appending(path: "d/README.md"))
        try write("other.ndjson", ["o"])
        #expect(try texts([DataSource([path("d")])]) == ["a", "b"])
        #expect(try texts([DataSource([path("other.ndjson"), path("d/b.jsonl")])]) == ["o", "b"])
        #expect(try texts([DataSource([path("d/*.jsonl")])]) == ["b"])
        #expect(try texts([DataSource([path("d/**/*.jsonl")])]) == ["a", "b"])
        #expect(try texts([DataSource([path("*/[ab].js*")])]) == ["b"])
        let (records, _) = try RecordFile.read(RecordSources([DataSource([path("d")])], seed: 0))
        #expect(records.map(\.place) == ["a/x.jsonl, line 1", "b.jsonl, line 1"])
    }

    @Test func splitsAreToldByNames() throws {
        try write("s/train-00000-of-00002.jsonl", ["1"])
        try write("s/train-00001-of-00002.jsonl", ["2"])
        try write("s/test.jsonl", ["3"])
        #expect(try texts([DataSource([path("s")])]) == ["1", "2"])
        #expect(try texts([DataSource([path("s")], split: "test")]) == ["3"])
        var evaluation = DataSource([path("s")])
        evaluation.isForEvaluation = true
        #expect(try texts([evaluation]) == ["3"])
        let error = #expect(throws: DataError.self) { try texts([DataSource([path("s")], split: "dev")]) }
        #expect(error?.advice?.contains("test, train") == true)
    }

    @Test func sourcesAreMixedByWeightInASeededOrder() throws {
        let sources = [
            DataSource([try write("a.jsonl", (0..<3000).map { "a\($0)" })], weight: 3),
            DataSource([try write("b.jsonl", (0..<3000).map { "b\($0)" })], weight: 1),
        ]
        let mixed = try texts(sources, seed: 1)
        #expect(try texts(sources, seed: 1) == mixed)
        #expect(try texts(sources, seed: 2) != mixed)
        let a = mixed.filter { $0.hasPrefix("a") }
        let b = mixed.filter { $0.hasPrefix("b") }
        // Until the first is exhausted; each in its own order.
        #expect(a == (0..<3000).map { "a\($0)" } && b == (0..<b.count).map { "b\($0)" })
        // The mean is 1000, the standard deviation below 40.
        #expect(abs(b.count - 1000) < 160)
        let (records, _) = try RecordFile.read(RecordSources(sources, seed: 1))
        #expect(Set(records.compactMap(\.source)).count == 2)
        // Without weights one comes behind the other; a limit takes the first records.
        let some = sources.map { DataSource($0.paths, maxSamples: 2) }
        #expect(try texts(some) == ["a0", "a1", "b0", "b1"])
    }

    @Test func aSourceHasAShapeOfItsOwn() throws {
        let url = folder.url.appending(path: "both.jsonl")
        try Data("{\"text\": \"t\", \"question\": \"q\", \"answer\": \"a\"}\n".utf8).write(to: url)
        let sources = [DataSource([url.path]), DataSource([url.path], format: .questionAnswer)]
        let (records, _) = try RecordFile.read(RecordSources(sources, seed: 0))
        #expect(records.map(\.content) == [.text("t"), .dialogue([.init(.user, "q"), .init(.assistant, "a")])])
    }

    @Test func recordsOfOtherSourcesAreFoundAgain() throws {
        let sources = try RecordSources(
            [DataSource([try write("a.jsonl", (0..<3000).map { "what is \($0)" })])], seed: 0)
        let survey = try DataSurvey(sources)
        #expect(
            survey.summary.records == 3000 && survey.findings.report.summary == "3000 records: 3000 used, 0 left out")
        let others = [
            try write("b.jsonl", ["no", "what  is 7", "what is 2999", "yes"]),
            try write("c.jsonl", (0..<9).map { "what is \($0) " }),
        ]
        let leaks = try survey.leaks(into: RecordSources([DataSource(others)], seed: 0))
        #expect(leaks.count == 11 && leaks.of == 13)
        #expect(
            leaks.places.map { $0.split(separator: ", ").last } == ["line 2", "line 3", "line 1", "line 2", "line 3"])
        let empty = try RecordSources([DataSource([try write("d.jsonl", [])])], seed: 0)
        #expect(throws: DataError.self) { try survey.leaks(into: empty) }
    }

    @Test func whatIsNotThereIsNamed() throws {
        try FileManager.default.createDirectory(
            at: folder.url.appending(path: "empty"), withIntermediateDirectories: true)
        try write("loop/a.jsonl", ["a"])
        try FileManager.default.createSymbolicLink(
            atPath: path("loop/again"), withDestinationPath: path("loop"))
        try FileManager.default.createDirectory(
            at: folder.url.appending(path: "dead"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: path("dead/x.jsonl"), withDestinationPath: path("nowhere"))
        for (name, code, words) in [
            ("empty", DataErrorCode.empty, "without files of records"), ("loop", .malformed, "lead in a circle"),
            ("dead", .notFound, "symbolic link to nothing"), ("none.jsonl", .notFound, "does not exist"),
            ("*.csv", .notFound, "matches no file"),
        ] {
            let error = #expect(throws: DataError.self) { try texts([DataSource([path(name)])]) }
            #expect(error?.code == code && error?.message.contains(words) == true, "\(String(describing: error))")
        }
        let file = try write("w.jsonl", ["w"])
        for (weights, words) in [
            ([0.0, 0.0], "sum to 0"), ([1, -1], "expected a number from 0"), ([.nan, 1], "weight nan"),
        ] {
            let error = #expect(throws: DataError.self) { try texts(weights.map { DataSource([file], weight: $0) }) }
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        }
        #expect(throws: DataError.self) { try texts([DataSource([file], weight: 1), DataSource([file])]) }
    }
}
