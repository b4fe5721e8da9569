import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// Examples on the disk.
@Suite struct ExampleStoreTests {
    private let folder = try! TemporaryFolder()
    private let tiny = try! TinyModel()

    private func preparation(_ change: (inout ExampleBuilder) -> Void = { _ in }) throws -> ExamplePreparation {
        let tokenizer = try Tokenizer.load(tiny.model)
        var builder = ExampleBuilder(tokenizer: tokenizer, template: nil, maxLength: 40)
        change(&builder)
        var preparation = ExamplePreparation(decoder: RecordDecoder(format: .auto), builder: builder)
        // Small enough for several chunks.
        preparation.pass.chunkRecords = 7
        return preparation
    }

    /// A file of texts, some of which cannot be used, some repeated, some cut.
    private func source(_ count: Int = 100) throws -> SourceFile {
        let lines = (0..<count).map { line in
            switch line % 13 {
            case 5: #"{"txt": 1}"#
            case 7: #"{"text": "so it is", "source": "b"}"#
            default:
                #"{"text": "\#(String(repeating: "what is virtue ", count: 1 + line % 4))\#(line)", "source": "a", "id": \#(line)}"#
            }
        }
        let url = folder.url.appending(path: "data.jsonl")
        try lines.joined(separator: "\n").write(to: url, atomically: true, encoding: .utf8)
        return try SourceFile(url)
    }

    private var cache: ExampleCache { ExampleCache(folder.url.appending(path: "cache"), limit: 1 << 30) }

    private func all(_ examples: any ExampleSource) throws -> [Example] { try examples.beginning(examples.count) }

    @Test func anExampleIsReadBackAsItWasWritten() throws {
        var examples = [
            Example(ids: [1], labels: [-100], isCompletion: [false], place: "line 1"),
            Example(
                ids: [1, 300, 262_143, 7], labels: [-100, -100, 262_143, 7], isCompletion: [false, false, true, true],
                place: "record 3", source: "本"),
            Example(ids: [1, 2, 3], labels: [-100, 9, 3], isCompletion: [true, false, true], place: "", source: "b"),
            Example(ids: [4, 5], labels: [4, 5], isCompletion: [true, true], place: "x"),
        ]
        examples[1].preference = Preference(promptLength: 2, rejected: [1, 300, 8])
        examples[3].preference = Preference(promptLength: 1, isDesirable: false)
        for example in examples {
            var writer = ExampleWriter()
            writer.write(example)
            let read = try writer.bytes.withUnsafeBytes { try ExampleReader.example($0, source: example.source) }
            #expect(read == example)
            // Whatever is cut off or changed is an error or another example, and no crash.
            for end in writer.bytes.indices {
                _ = try? writer.bytes[..<end].withUnsafeBytes { try ExampleReader.example($0, source: nil) }
            }
            for place in writer.bytes.indices {
                for byte in [0, 0x7F, 0x80, 0xFF] as [UInt8] {
                    var bytes = writer.bytes
                    bytes[place] = byte
                    _ = try? bytes.withUnsafeBytes { try ExampleReader.example($0, source: nil) }
                }
            }
        }
    }

    @Test func equalExamplesHaveEqualHashesAndOthersHaveOthers() {
        let ids: [TokenID] = [1, 5, 6, 7]
        let example = Example(ids: ids, labels: ids, isCompletion: ids.map { _ in true }, place: "line 1")
        var other = example
        (other.place, other.source, other.isCompletion[1]) = ("line 2", "b", false)
        #expect(other.contentHash == example.contentHash)
        other.labels[3] = Example.ignoredLabel
        #expect(other.contentHash != example.contentHash)
        other = example
        other.preference = Preference(promptLength: 1)
        #expect(other.contentHash != example.contentHash)
        let shorter = Example(ids: [1, 5, 6], labels: [1, 5, 6], isCompletion: [true, true, true], place: "")
        #expect(shorter.contentHash != example.contentHash)
    }

    @Test(arguments: [1, 2, 5]) func theExamplesDependOnNoNumberOfWorkersAndNoPlace(_ workers: Int) throws {
        let source = try source()
        var plain = try preparation()
        plain.pass.workers = 1
        plain.pass.chunkRecords = 1000
        let expected = try plain.examples(of: source.records())
        var preparation = try preparation()
        preparation.pass.workers = workers
        let inMemory = try preparation.examples(of: source.records())
        let store = try preparation.store(in: cache, key: "a") { try source.records() }
        for (examples, findings) in [
            (inMemory.examples, inMemory.findings), (store as any ExampleSource, store.summary.findings),
        ] {
            #expect(try all(examples) == all(expected.examples) && examples.count > 80)
            let prepared = PreparedExamples(examples: examples, findings: findings)
            #expect(
                try prepared.report(preparation.builder, path: "") == expected.report(preparation.builder, path: ""))
        }
        for position in [0, 7, 41] {
            let example = try expected.examples.example(at: position)
            #expect(
                store.lengths(at: position).ids == example.ids.count && store.source(at: position) == example.source)
            #expect(store.contentHash(at: position) == example.contentHash)
        }
        #expect(store.repeatedCount == expected.examples.repeatedCount && store.repeatedCount > 0)
    }

    @Test func theReportIsThatOfTheRecordsOneByOne() throws {
        let source = try source()
        let preparation = try preparation()
        let prepared = try preparation.examples(of: source.records())
        var (records, report) = try RecordFile.read(URL(filePath: source.path))
        let examples = try preparation.builder.examples(from: records, report: &report)
        records.removeAll()
        #expect(try all(prepared.examples) == examples)
        #expect(try prepared.report(preparation.builder, path: "") == report)
        #expect(report.remarks.contains { $0.contains("\"id\"") } && report.repeated > 0)
    }

    @Test func aSecondStartPreparesNothing() throws {
        let source = try source()
        let preparation = try preparation()
        let first = try all(preparation.store(in: cache, key: "a") { try source.records() })
        let second = try preparation.store(in: cache, key: "a") {
            Issue.record("the source is read again")
            return try source.records()
        }
        #expect(try all(second) == first)
        #expect(cache.existing("b") == nil)
    }

    @Test func whatACrashLeavesIsContinued() throws {
        struct Crash: Error {}
        let source = try source()
        let preparation = try preparation()
        let expected = try all(preparation.store(in: cache, key: "whole") { try source.records() })
        for (number, limit) in [1, 20, 50].enumerated() {
            let key = "cut\(number)"
            #expect(throws: Crash.self) {
                try preparation.store(in: cache, key: key) {
                    try source.records()
                } onProgress: {
                    if $0.records >= limit { throw Crash() }
                }
            }
            #expect(cache.existing(key) == nil)
            // A chunk that was not written whole.
            let file = cache.folder.appending(path: ".\(key).partial/\(StoreChunk.fileName)")
            var bytes = try Data(contentsOf: file)
            let torn = number == 2 ? bytes.count - 3 : bytes.count
            bytes = bytes.prefix(torn) + (number == 1 ? Data(repeating: 7, count: 50) : Data())
            try bytes.write(to: file)
            var done = -1
            let store = try preparation.store(in: cache, key: key) {
                try source.records()
            } onStart: {
                done = $0
            }
            #expect(done >= limit - 7 && done < 100)
            #expect(try all(store) == expected)
            #expect(store.summary.findings.total == 100)
        }
    }

    @Test func aDamagedStoreIsMadeAgainAndADamagedExampleNamed() throws {
        let source = try source()
        let preparation = try preparation()
        let expected = try all(preparation.store(in: cache, key: "a") { try source.records() })
        let file = cache.folder.appending(path: "a/\(StoreChunk.fileName)")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 2] ^= 1
        try bytes.write(to: file)
        do {
            // Nobody makes it again as long as it is used.
            let damaged = try #require(cache.existing("a"))
            #expect(throws: DataError.self) { try damaged.example(at: damaged.count - 1) }
        }
        try bytes.prefix(100).write(to: file)
        #expect(cache.existing("a") == nil)
        #expect(try all(preparation.store(in: cache, key: "a") { try source.records() }) == expected)
    }

    @Test func whatAnEarlierVersionPreparedIsNotUsed() throws {
        let source = try source()
        let preparation = try preparation()
        let expected = try all(preparation.store(in: cache, key: "a") { try source.records() })
        let summary = cache.folder.appending(path: "a/\(StoreSummary.name)")
        let text = try String(contentsOf: summary, encoding: .utf8)
        try Data(text.replacing("\"version\":\(StoreSummary.currentVersion)", with: "\"version\":1").utf8).write(
            to: summary)
        #expect(cache.existing("a") == nil)
        #expect(try all(preparation.store(in: cache, key: "a") { try source.records() }) == expected)
    }

    @Test func theSummaryIsKeptWithTheExamples() throws {
        let source = try source()
        let preparation = try preparation()
        let (records, _) = try RecordFile.read(URL(filePath: source.path))
        let expected = DataSummary(records)
        #expect(expected.duplicates > 0 && expected.sources.count == 2)
        #expect(try preparation.examples(of: source.records()).findings.summary == expected)
        // Cut off once, so that a part of it was counted by an earlier run.
        struct Crash: Error {}
        #expect(throws: Crash.self) {
            try preparation.store(in: cache, key: "a") {
                try source.records()
            } onProgress: {
                if $0.records > 30 { throw Crash() }
            }
        }
        let store = try preparation.store(in: cache, key: "a") { try source.records() }
        #expect(store.summary.findings.summary == expected)
        #expect(try #require(cache.existing("a")).summary.findings.summary == expected)
        #expect(
            try preparation.index(in: cache, key: "index") { try source.records() }.summary.findings.summary == expected
        )
    }

    // MARK: Made a second time

    @Test(arguments: [0, 300, .max]) func examplesOfAnOutlineAreTheSame(_ limit: Int) throws {
        let source = try source()
        var preparation = try preparation()
        let sources = try RecordSources([DataSource([source.path])], seed: 0)
        let expected = try preparation.examples(of: source.records())
        let outline = try preparation.outline(of: sources, limit: limit)
        #expect((outline.examples is ExampleOutline) == (limit < .max))
        #expect(outline.examples.count == expected.examples.count)
        #expect(try all(outline.examples) == all(expected.examples))
        #expect(try outline.examples.examples(at: [50, 3, 50]) == expected.examples.examples(at: [50, 3, 50]))
        #expect(
            try outline.report(preparation.builder, path: "") == expected.report(preparation.builder, path: ""))
        for position in 0..<outline.examples.count {
            #expect(outline.examples.lengths(at: position) == expected.examples.lengths(at: position))
            #expect(outline.examples.source(at: position) == expected.examples.source(at: position))
            #expect(outline.examples.contentHash(at: position) == expected.examples.contentHash(at: position))
        }
        #expect(
            BalancedSample.positions(of: outline.examples, limit: 10, seed: 3)
                == BalancedSample.positions(of: expected.examples, limit: 10, seed: 3))
        preparation.pass.chunkRecords = 1000
        #expect(try preparation.first(5, of: sources) == Array(all(expected.examples).prefix(5)))
    }

    @Test func aFileThatIsReplacedBehindAnOutlineIsNamed() throws {
        let source = try source()
        let sources = try RecordSources([DataSource([source.path])], seed: 0)
        let outline = try preparation().outline(of: sources, limit: 0)
        try Data(#"{"text": "other"}"#.utf8).write(to: URL(filePath: source.path))
        let error = #expect(throws: DataError.self) { try outline.examples.example(at: 3) }
        #expect(error?.code == .changed)
    }

    @Test func twoRunsThatPrepareTheSameDoItOnce() async throws {
        let source = try source(400)
        let preparation = try preparation()
        let cache = cache
        let counts = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var prepared = 0
                    let store = try preparation.store(in: cache, key: "a") {
                        prepared += 1
                        return try source.records()
                    }
                    return (store.count, prepared)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(counts.map(\.0)).count == 1 && counts.reduce(0) { $0 + $1.1 } == 1)
    }

    @Test func theLeastRecentlyUsedGoesFirstAndNothingThatIsUsed() throws {
        let source = try source()
        let preparation = try preparation()
        let make = { (cache: ExampleCache, key: String) in
            try preparation.store(in: cache, key: key) { try source.records() }
        }
        for key in ["a", "b"] {
            _ = try make(cache, key)
            // By the second, as some file systems keep times.
            let summary = cache.folder.appending(path: "\(key)/\(StoreSummary.name)")
            for name in try FileManager.default.contentsOfDirectory(atPath: summary.deletingLastPathComponent().path) {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: key == "a" ? -100 : -200)],
                    ofItemAtPath: summary.deletingLastPathComponent().appending(path: name).path)
            }
        }
        let size = try FileManager.default.contentsOfDirectory(atPath: cache.folder.appending(path: "a").path)
            .reduce(0) { sum, name in
                let path = cache.folder.appending(path: "a/\(name)").path
                return sum + (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0)
            }
        let small = ExampleCache(cache.folder, limit: 2 * size + size / 2)
        _ = try make(small, "c")
        #expect(small.existing("b") == nil)
        let used = try #require(small.existing("a"))
        _ = try make(ExampleCache(cache.folder, limit: 1), "d")
        #expect(cache.existing("a") != nil && cache.existing("c") == nil && cache.existing("d") != nil)
        #expect(try used.example(at: 0).ids.isEmpty == false)
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "there is no /dev/full"))
    func aFullDiskIsNamed() throws {
        let source = try source()
        let partial = cache.folder.appending(path: ".a.partial")
        try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
        // Whatever is written there finds the disk full.
        try FileManager.default.createSymbolicLink(
            atPath: partial.appending(path: StoreEntry.fileName).path, withDestinationPath: "/dev/full")
        do {
            _ = try preparation().store(in: cache, key: "a") { try source.records() }
            Issue.record("a full disk is not noticed")
        } catch let error as DataError {
            #expect(error.code == .full && error.place?.contains(cache.folder.path) == true)
        }
        #expect(cache.existing("a") == nil)
    }

    // MARK: Made when needed

    private func onDemand(_ source: SourceFile, _ preparation: ExamplePreparation) throws -> ExamplesOnDemand {
        let index = try preparation.index(in: cache, key: "index") { try source.records() }
        return try ExamplesOnDemand(index, path: source.path, preparation)
    }

    @Test func examplesMadeWhenNeededAreThoseMadeBefore() throws {
        let source = try source()
        let preparation = try preparation()
        let expected = try preparation.examples(of: source.records())
        let examples = try onDemand(source, preparation)
        #expect(examples.count == expected.examples.count && !examples.hasTokens)
        #expect(try all(examples) == all(expected.examples))
        let positions = [50, 3, 77, 3, 12, 60, 61]
        #expect(try examples.examples(at: positions) == expected.examples.examples(at: positions))
        // The index is read a second time.
        let again = try preparation.index(in: cache, key: "index") {
            Issue.record("the source is read again")
            return try source.records()
        }
        #expect(again.count == examples.count && again.summary.findings.report.skipped > 0)
    }

    @Test func aFileThatGrowsOrVanishesIsReadAsItWas() throws {
        let source = try source()
        let preparation = try preparation()
        let examples = try onDemand(source, preparation)
        let expected = try all(examples)
        let handle = try FileHandle(forWritingTo: URL(filePath: source.path))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("\n{\"text\": \"more\"}".utf8))
        #expect(try all(examples) == expected)
        try FileManager.default.removeItem(atPath: source.path)
        #expect(try all(examples) == expected)
        // What is overwritten or cut off is named.
        try handle.seek(toOffset: 12)
        try handle.write(contentsOf: Data("X".utf8))
        #expect(throws: DataError.self) { try examples.example(at: 0) }
        try handle.truncate(atOffset: 100)
        #expect(throws: DataError.self) { try examples.example(at: 60) }
    }

    @Test func anUnfitRecordIsReplacedByTheNextOne() throws {
        let lines = ["a b", "", "c", "", ""].map { text in
            text.isEmpty
                ? #"{"messages": [{"role": "user", "content": "no answer"}]}"# : #"{"text": "\#(text)"}"#
        }
        let url = folder.url.appending(path: "mixed.jsonl")
        try lines.joined(separator: "\n").write(to: url, atomically: true, encoding: .utf8)
        let preparation = try preparation { builder in
            builder.template = .chatML
            builder.lossTarget = .completions
        }
        let examples = try onDemand(SourceFile(url), preparation)
        #expect(try all(examples).map(\.place) == ["line 1", "line 3", "line 3", "line 1", "line 1"])
    }
}
