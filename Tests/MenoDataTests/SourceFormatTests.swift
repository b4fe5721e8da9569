import Foundation
import MenoFormats
import MenoTesting
import Testing

@testable import MenoData

/// Files of every kind, compressed or not. `Tests/Reference/make_sources.py` made them.
@Suite struct SourceFormatTests {
    @Test(arguments: [
        "records.jsonl", "records.jsonl.gz", "records.jsonl.zst", "records.json", "records-utf16.json", "records.csv",
        "records.tsv", "records.parquet",
    ])
    func theSameRecordsComeOutOfEveryKindOfFile(name: String) throws {
        let (records, report) = try RecordFile.read(Fixtures.url("sources/\(name)"))
        #expect(report.problems.isEmpty && records.count == 4)
        let (expected, _) = try RecordFile.read(Fixtures.url("sources/records.jsonl"))
        #expect(records.map(\.content) == expected.map(\.content))
        #expect(records.map(\.source) == ["sums", "ja", "quotes, commas", nil])
    }

    @Test(arguments: ["default", "v2-zstd", "gzip", "none", "lz4", "v2-none", "delta", "datasets"])
    func parquetHasTheValuesThatPyarrowReads(form: String) throws {
        let rows = try values(Data(contentsOf: Fixtures.url("sources/values-\(form).parquet")))
        let text = try String(contentsOf: Fixtures.url("sources/values.json"), encoding: .utf8)
        let expected = try #require(try JSONReader.value(of: text).array)
        #expect(rows.count == expected.count)
        for (row, value) in zip(rows, expected) where row != value {
            Issue.record("\(row)\n\(value)")
            break
        }
    }

    @Test func damagedParquetIsAnErrorAndNeverCrashes() throws {
        var generator = SeededGenerator(seed: 5)
        for form in ["default", "v2-zstd", "gzip", "none", "lz4", "delta"] {
            let original = [UInt8](try Data(contentsOf: Fixtures.url("sources/values-\(form).parquet")))
            for _ in 0..<250 {
                var bytes = mutated(original, using: &generator)
                // The end says where everything lies; what begins there is reached only where it is whole.
                if Bool.random(using: &generator), bytes.count > 8 {
                    bytes.replaceSubrange(bytes.count - 8..<bytes.count, with: original.suffix(8))
                }
                _ = try? values(Data(bytes), limit: 500)
            }
            for length in stride(from: 0, to: original.count, by: 97) {
                #expect(throws: DataError.self) { try values(Data(original[..<length]), limit: 500) }
            }
        }
    }

    @Test func truncatedAndDamagedCompressionIsNamed() throws {
        var generator = SeededGenerator(seed: 6)
        for (name, word) in [("records.jsonl.gz", "gzip"), ("records.jsonl.zst", "Zstandard")] {
            let original = [UInt8](try Data(contentsOf: Fixtures.url("sources/\(name)")))
            let file = URL(filePath: name)
            let error = #expect(throws: DataError.self) { try RecordFile.read(Data(original.dropLast(20)), of: file) }
            #expect(error?.message.contains("is cut off: its \(word)") == true, "\(String(describing: error))")
            for _ in 0..<500 { _ = try? RecordFile.read(Data(mutated(original, using: &generator)), of: file) }
        }
        let other = #expect(throws: DataError.self) {
            try RecordFile.read(Data("{\"text\": \"a\"}".utf8), of: URL(filePath: "a.jsonl.gz"))
        }
        #expect(other?.message.contains("is not compressed that way") == true)
    }

    @Test func aGzipFileOfSeveralMembersIsReadToItsEnd() throws {
        let one = try Data(contentsOf: Fixtures.url("sources/records.jsonl.gz"))
        let (records, _) = try RecordFile.read(one + one + Data(count: 100), of: URL(filePath: "two.jsonl.gz"))
        #expect(records.count == 8)
    }

    @Test func recordsThatAreLongerThanAPieceAreWhole() throws {
        let long = String(repeating: "勇気とは。", count: 200_000)
        let lines = (0..<3).map { "{\"text\": \"\($0)\(long)\"}" }
        for (name, text) in [
            ("a.jsonl", lines.joined(separator: "\n")), ("a.json", "[\(lines.joined(separator: ",\n"))]"),
        ] {
            let (records, _) = try RecordFile.read(Data(text.utf8), of: URL(filePath: name))
            #expect(records.map(\.content) == (0..<3).map { .text("\($0)\(long)") })
        }
    }

    @Test func placesInAPlainFileAreWhereTheRecordsLie() throws {
        let folder = try TemporaryFolder()
        for (name, text) in [
            ("a.jsonl", "\u{FEFF}{\"text\": \"勇\"}\n\n{\"text\": \"b\"}{\"text\": \"c\"}"),
            ("a.json", "[{\"text\": \"勇\"},\n {\"text\": \"b\"} ,{\"text\": \"c\"}]"),
            ("b.json", "{\"rows\": [{\"text\": \"勇\"}, {\"text\": \"b\"}, {\"text\": \"c\"}]}"),
        ] {
            let url = folder.url.appending(path: name)
            let data = Data(text.utf8)
            try data.write(to: url)
            var reader = try SourceFile(url).records()
            var texts: [String] = []
            while let raw = try reader.next() {
                guard case .json(let bytes) = raw.content, let range = raw.range else { return #expect(Bool(false)) }
                #expect(Array(data[range]) == bytes)
                texts.append(String(decoding: bytes, as: UTF8.self))
            }
            #expect(texts == ["勇", "b", "c"].map { "{\"text\": \"\($0)\"}" })
        }
    }

    @Test func filesInOtherEncodingsAreReadOrNamedBesideEachOther() throws {
        let folder = try TemporaryFolder()
        let text = #"{"text": "勇気 é"}"#
        let files: [(name: String, data: Data?)] = [
            ("a.jsonl", text.data(using: .utf8)),
            ("b.jsonl", Data([0xFF, 0xFE]) + text.data(using: .utf16LittleEndian)!),
            ("c.jsonl", Data([0xEF, 0xBB, 0xBF]) + text.data(using: .utf8)!),
            ("d.jsonl", #"{"text": "é"}"#.data(using: .isoLatin1)), ("e.txt", "é\nplain".data(using: .isoLatin1)),
            ("f.csv", "text\n\u{e9}\nplain".data(using: .isoLatin1)),
        ]
        for file in files { try #require(file.data).write(to: folder.url.appending(path: file.name)) }
        let (records, report) = try RecordFile.read(folder.url)
        #expect(records.map(\.content) == ["勇気 é", "勇気 é", "勇気 é", "plain", "plain"].map { .text($0) })
        #expect(report.problems.map(\.place) == ["d.jsonl, line 1", "e.txt, line 1", "f.csv, line 2"])
        #expect(report.problems.allSatisfy { $0.kind == .notUTF8 })
    }

    @Test func aFileThatChangesWhileItIsReadIsNamed() throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "a.jsonl")
        let lines = String(repeating: "{\"text\": \"abcdefghij\"}\n", count: 200_000)
        for change in ["grew", "became shorter"] {
            try Data(lines.utf8).write(to: url)
            var reader = try SourceFile(url).records()
            _ = try reader.next()
            let handle = try FileHandle(forWritingTo: url)
            if change == "grew" {
                try handle.seekToEnd()
                try handle.write(contentsOf: Data("x".utf8))
            } else {
                try handle.truncate(atOffset: 3_000_000)
            }
            let error = #expect(throws: DataError.self) { while try reader.next() != nil {} }
            #expect(error?.code == .changed && error?.message.contains(change) == true, "\(String(describing: error))")
        }
        // A file that loses its name is still there for whoever reads it.
        try Data(lines.utf8).write(to: url)
        var reader = try SourceFile(url).records()
        try FileManager.default.removeItem(at: url)
        var count = 0
        while try reader.next() != nil { count += 1 }
        #expect(count == 200_000)
    }

    private func values(_ data: Data, limit: Int = .max) throws -> [JSONValue] {
        var reader = try SourceFile(data, of: URL(filePath: "values.parquet")).records()
        var rows: [JSONValue] = []
        while rows.count < limit, let raw = try reader.next() {
            guard case .value(let value) = raw.content else { break }
            rows.append(value)
        }
        return rows
    }
}
