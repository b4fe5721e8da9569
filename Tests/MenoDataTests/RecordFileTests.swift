import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

@Suite struct RecordFileTests {
    @Test func everyShapeIsRead() throws {
        let lines = #"""
            {"messages": [{"role": "system", "content": "短く"}, {"role": "user", "content": "勇気とは"}, {"role": "model", "content": "君は？"}], "source_file": "a"}
            {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello?"}]}
            {"prompt": "1+1=", "completion": "2", "source": null, "source_file": "b"}
            {"text": "plain"}
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "in parts"}]}, {"role": "assistant", "content": "yes"}]}
            {"messages": null, "conversations": null, "prompt": null, "completion": null, "text": "one column of many"}
            {"messages": [{"role": "user", "content": "Hi", "tool_calls": null}, {"role": "assistant", "content": "Hello", "tool_calls": []}], "tools": null, "system": ""}
            """#
        let (records, report) = try read(lines, "all.jsonl")
        #expect(report.total == 7 && report.problems.isEmpty && report.remarks.isEmpty)
        #expect(
            records[0].content
                == .dialogue([.init(.system, "短く"), .init(.user, "勇気とは"), .init(.assistant, "君は？")]))
        #expect(records[0].source == "a" && records[2].source == "b")
        #expect(records[1].content == .dialogue([.init(.user, "Hi"), .init(.assistant, "Hello?")]))
        #expect(records[2].content == .completion(prompt: "1+1=", completion: "2"))
        #expect(records[3].content == .text("plain"))
        #expect(records[4].content == .dialogue([.init(.user, "in parts"), .init(.assistant, "yes")]))
        #expect(records[5].content == .text("one column of many"))
        #expect(records[6].content == .dialogue([.init(.user, "Hi"), .init(.assistant, "Hello")]))
    }

    @Test func anArrayAndLinesGiveTheSame() throws {
        let array = "\u{FEFF} [ {\"text\": \"a]},\\\"[\"} ,\n{\"text\": \"b\"}]\n"
        let (records, _) = try read(array, "a.json")
        #expect(records.map(\.content) == [.text("a]},\"["), .text("b")])
        #expect(records.map(\.place) == ["record 0", "record 1"])
        let (lines, _) = try read("{\"text\": \"a]},\\\"[\"}\n\n{\"text\": \"b\"}", "a.json")
        #expect(lines.map(\.content) == records.map(\.content))
        #expect(lines.map(\.place) == ["line 1", "line 3"])
    }

    @Test(arguments: [
        (#"{"messages": []}"#, DataReport.Problem.Kind.empty), (#"{"text": "  "}"#, .empty),
        (#"{"messages": [{"role": "assistant", "content": "x"}]}"#, .wrongRoleOrder),
        (#"{"messages": [{"role": "user", "content": "x"}]}"#, .wrongRoleOrder),
        (#"{"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}"#, .wrongRoleOrder),
        (#"{"messages": [{"role": "narrator", "content": "x"}]}"#, .unknownRole),
        (#"{"messages": "x"}"#, .unknownShape), (#"{"prompt": "x"}"#, .unknownShape),
        (#"{"text": null}"#, .unknownShape), (#"{"messages": null, "text": null}"#, .unknownShape),
        (
            #"{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "tool_calls": [{}]}]}"#,
            .unknownShape
        ),
        (#"{"question": "x"}"#, .unknownShape), ("[1]", .unknownShape), (#"{"text": "x""#, .notJSON),
    ])
    func aBadRecordIsCountedAndTheRestIsUsed(line: String, kind: DataReport.Problem.Kind) throws {
        let text = "{\"text\": \"good\"}\n\(line)\n"
        let (records, report) = try read(text, "bad.jsonl")
        #expect(records.count == 1)
        #expect(report.problems.map(\.kind) == [kind])
        #expect(report.problems[0].place == "line 2")
        #expect(report.summary.contains("1 left out"))
        let error = #expect(throws: DataError.self) { try read(text, "bad.jsonl", onInvalid: .stop) }
        #expect(error?.code == .invalidRecords)
        #expect(error?.message.contains("line 2") == true)
    }

    @Test func whatADialogueSaysBesideItsTurnsIsToldOnce() throws {
        let turns = #""messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]"#
        let lines = ["{\(turns), \"tools\": [{}]}", "{\(turns), \"tools\": [{}], \"system\": \"s\"}", "{\(turns)}"]
        let (records, report) = try read(lines.joined(separator: "\n"), "tools.jsonl")
        #expect(records.count == 3 && report.remarks.count == 2)
        #expect(report.remarks[0].hasSuffix(" 1).") && report.remarks[0].contains("system"))
        #expect(report.remarks[1].hasSuffix(" 2).") && report.remarks[1].contains("tools"))
    }

    @Test func anArrayInAFileOfLinesIsReadAsOne() throws {
        let (records, report) = try read(#"[{"text": "a"}, {"text": "b"}]"#, "array.jsonl")
        #expect(records.map(\.content) == [.text("a"), .text("b")] && report.problems.isEmpty)
        // Lines that begin as an array does are lines.
        let (lines, found) = try read("[1]\n{\"text\": \"b\"}", "lines.jsonl")
        #expect(lines.map(\.place) == ["line 2"] && found.problems.map(\.place) == ["line 1"])
    }

    @Test func bytesThatAreNotUTF8AreReportedByLine() throws {
        let url = try file("bytes.jsonl", Data("{\"text\": \"a\"}\n{\"text\": \"".utf8) + [0xFF] + Data("\"}\n".utf8))
        let (records, report) = try RecordFile.read(url)
        #expect(records.count == 1)
        #expect(report.problems.map(\.kind) == [.notUTF8])
    }

    @Test func aFileWithoutRecordsIsAnError() throws {
        for (text, code) in [
            ("", DataError.Code.malformed), ("[]", .empty), ("[{\"text\": \"a\"}", .malformed), ("[] x", .malformed),
            ("[{\"question\": 1}]", .empty),
        ] {
            #expect(throws: DataError.self, "\(text)") { try read(text, "none.json") }.map { #expect($0.code == code) }
        }
        let error = #expect(throws: DataError.self) { try RecordFile.read(URL(filePath: "/nowhere/x.jsonl")) }
        #expect(error?.code == .notFound)
    }

    @Test func mutatedFilesAreErrorsAndNeverCrash() throws {
        let original = Array(
            #"[{"messages": [{"role": "user", "content": "勇気とは\n"}, {"role": "model", "content": "\u541b"}]}, {"text": "x"}]"#
                .utf8)
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<10_000 {
            let bytes = mutated(original, using: &generator)
            bytes.withUnsafeBytes { bytes in
                let ranges = (try? JSONArrayElements.ranges(in: bytes)) ?? [0..<bytes.count]
                for range in ranges {
                    var decoder = RecordDecoder(format: .auto)
                    _ = try? decoder.decode(Data(bytes[range]), place: "")
                }
            }
        }
    }

    @Test(.enabled(if: Fixtures.socraticDialogues != nil, "the shared dialogues are absent"))
    func theRealDialoguesAreAllUsable() throws {
        let (records, report) = try RecordFile.read(try #require(Fixtures.socraticDialogues))
        #expect(records.count == 2000)
        #expect(report.problems.isEmpty)
    }

    @Test func theBundledDialoguesAreAllUsable() throws {
        let url = Fixtures.repository.appending(path: "Examples/dialogues.jsonl")
        let (records, report) = try RecordFile.read(url, onInvalid: .stop)
        #expect(report.problems.isEmpty)
        #expect(records.count { $0.source == "ja" } >= 120)
        #expect(records.count { $0.source == "en" } >= 30)
    }

    private func read(
        _ text: String, _ name: String, onInvalid: RecordFile.InvalidRecordPolicy = .skip
    ) throws -> (records: [Record], report: DataReport) {
        try RecordFile.read(file(name, Data(text.utf8)), onInvalid: onInvalid)
    }

    private func file(_ name: String, _ data: Data) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appending(path: "meno-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let url = folder.appending(path: name)
        try data.write(to: url)
        return url
    }
}
