import Foundation
import MenoFormats
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
        let parts = JSONValue.object([.init("type", .string("text")), .init("text", .string("in parts"))])
        #expect(
            records[4].content
                == .dialogue([.init(.user, "in parts", form: .parts([parts])), .init(.assistant, "yes")]))
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
        (#"{"messages": [{"content": "x"}]}"#, .unknownShape),
        (#"{"messages": [{"role": "user", "content": 1}]}"#, .unknownShape),
        (#"{"messages": [{"role": "user", "content": [{"type": "image"}]}]}"#, .notText),
        (#"{"messages": [{"role": "user", "content": "x", "weight": 0.5}]}"#, .unknownShape),
        (#"{"messages": [{"role": "user", "content": "x"}], "tools": "[{"}"#, .notJSON),
        (#"{"messages": [{"role": "user", "content": "x"}], "chat_template_kwargs": [1]}"#, .unknownShape),
        (#"{"conversations": [{"from": "function_call", "value": "run"}]}"#, .unknownShape),
        (#"{"messages": "x"}"#, .unknownShape), (#"{"prompt": "x"}"#, .unknownShape),
        (#"{"text": null}"#, .unknownShape), (#"{"messages": null, "text": null}"#, .unknownShape),
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

    /// Every member of a turn and of a record is kept, in its order.
    @Test func whatADialogueSaysBesideItsTexts() throws {
        let lines = #"""
            {"messages": [{"role": "user", "content": "x", "name": "Ann"}, {"role": "assistant", "content": null, "reasoning_content": "r", "tool_calls": [{"function": {"name": "f", "arguments": {"b": 1, "a": 2}}}]}, {"role": "tool", "content": "9", "tool_call_id": "1"}], "tools": "[{\"name\": \"f\"}]", "system": "s", "chat_template_kwargs": {"enable_thinking": false}, "id": 7, "source": "q"}
            {"conversations": [{"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {}}"}, {"from": "observation", "value": "9"}, {"role": "narrator", "content": "y", "train": false}]}
            {"prompt": [{"role": "user", "content": "x"}], "completion": [{"role": "assistant", "content": "y", "weight": 0}]}
            """#
        let (records, report) = try read(lines, "members.jsonl")
        #expect(report.problems.isEmpty && records.count == 3)
        guard case .dialogue(let turns) = records[0].content, case .dialogue(let calls) = records[1].content,
            case .dialogue(let pair) = records[2].content
        else { return #expect(Bool(false)) }
        #expect(turns.map(\.role.rawValue) == ["system", "user", "assistant", "tool"] && turns[0].content == "s")
        #expect(turns[1].members == [.init("name", .string("Ann"))] && turns[2].form == .null)
        #expect(turns[2]["reasoning_content"]?.string == "r" && turns[3]["tool_call_id"]?.string == "1")
        let arguments = turns[2]["tool_calls"]?.array?.first?["function"]?["arguments"]
        #expect(arguments?.object?.map(\.key) == ["b", "a"])
        #expect(records[0].variables.map(\.key) == ["tools", "id", "enable_thinking"] && records[0].source == "q")
        #expect(records[0].variables[0].value == .array([.object([.init("name", .string("f"))])]))
        #expect(calls.map(\.role.rawValue) == ["assistant", "tool", "narrator"] && calls[0]["tool_calls"] != nil)
        #expect(calls.map(\.carriesLoss) == [true, true, false])
        #expect(records[2].promptTurns == 1 && pair.map(\.carriesLoss) == [true, false])
    }

    @Test func objectsMayStandInAnyForm() throws {
        let one = #"{"text": "a", "score": NaN, "none": [Infinity, -Infinity]}"#
        let pretty = "{\n  \"text\": \"a\"\n}\n"
        for (name, text, places) in [
            ("nan.jsonl", one + "\n" + one, ["line 1", "line 2"]),
            ("pretty.json", pretty + pretty + one, ["line 1", "line 4", "line 7"]),
            ("pretty.jsonl", "\n" + pretty + pretty, ["line 2", "line 5"]),
            ("joined.json", one + one, ["line 1, object 1", "line 1, object 2"]),
            (
                "data.json", #"{"version": "1", "data": [{"text": "a"}, {"text": "a"}], "n": 1}"#,
                ["data[0]", "data[1]"]
            ),
            ("rows.json", "{\n\"info\": {\"a\": []},\n\"rows\": [\n{\"text\": \"a\"}\n]\n}", ["rows[0]"]),
        ] {
            let (records, report) = try read(text, name)
            #expect(records.map(\.place) == places && report.problems.isEmpty, "\(name)")
            #expect(records.allSatisfy { $0.content == .text("a") }, "\(name)")
        }
        // Two members with records: which one is meant cannot be known.
        let two = #expect(throws: DataError.self) {
            try read(#"{"train": [{"text": "a"}], "test": [{"text": "b"}]}"#, "t.json")
        }
        #expect(two?.message.contains("train") == true)
        // A record that is not closed spoils no other.
        let (rest, found) = try read(pretty + "{\n  \"text\": \"b\n{\n \"text\": \"a\"}\n", "cut.json")
        #expect(rest.map(\.place) == ["line 1", "line 6"] && found.problems.map(\.place) == ["line 4"])
    }

    @Test func textsInUTF16AreRead() throws {
        let text = #"[{"text": "勇気"}, {"text": "b"}]"#
        for (encoding, mark) in [
            (String.Encoding.utf16LittleEndian, [0xFF, 0xFE] as [UInt8]), (.utf16BigEndian, [0xFE, 0xFF]),
            (.utf32LittleEndian, [0xFF, 0xFE, 0, 0]), (.utf8, [0xEF, 0xBB, 0xBF]),
        ] {
            let url = try file("a.json", Data(mark) + text.data(using: encoding)!)
            #expect(try RecordFile.read(url).records.map(\.content) == [.text("勇気"), .text("b")])
        }
    }

    @Test func faultsTellLineColumnAndWhatWasFound() throws {
        let (_, report) = try read("{\"text\": \"a\"}\n{\"text\": \"勇\" \"b\"}\n{\"text\": \"c\"}]\n", "a.jsonl")
        #expect(
            report.problems.map(\.reason) == [
                "is not valid JSON (line 2, column 14): expected ',' or '}', found '\"'.",
                "is not valid JSON (line 3, column 14): expected the end of the record, found ']'.",
            ])
        let (_, array) = try read("[{\"text\": \"a\"},\n  {\"text\": 1.}]", "a.json")
        #expect(array.problems.map(\.reason) == ["is not valid JSON (line 2, column 14): expected a digit, found '}'."])
        for (text, words) in [
            (
                "prompt,completion\na,b",
                "line 1, column 1: expected an array of records or a record ('[' or '{'), found 'p'"
            ),
            ("[{\"text\": \"a\"}]\n]", "line 2, column 1: expected the end of the file after its array, found ']'"),
            ("[{\"text\": \"a\"},\n", "after 1 whole records"),
        ] {
            let error = #expect(throws: DataError.self) { try read(text, "a.json") }
            #expect(error?.message.contains(words) == true, "\(String(describing: error))")
        }
    }

    @Test func repeatedKeysAreReported() throws {
        let (records, report) = try read("{\"text\": \"a\", \"text\": \"b\"}\n{\"text\": \"c\"}", "a.jsonl")
        #expect(records.map(\.content) == [.text("b"), .text("c")] && report.remarks.count == 1)
        #expect(report.remarks[0].contains("\"text\" stands twice") && report.remarks[0].contains("first: line 1"))
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
            ("", DataErrorCode.malformed), ("[]", .empty), ("[{\"text\": \"a\"}", .malformed), ("[] x", .malformed),
            ("[{\"question\": 1}]", .empty),
        ] {
            #expect(throws: DataError.self, "\(text)") { try read(text, "none.json") }.map { #expect($0.code == code) }
        }
        let error = #expect(throws: DataError.self) { try RecordFile.read(URL(filePath: "/nowhere/x.jsonl")) }
        #expect(error?.code == .notFound)
    }

    @Test func mutatedFilesAreErrorsAndNeverCrash() throws {
        let record = #"{"messages": [{"role": "user", "content": "勇気とは\n"}, {"role": "model", "content": "\u541b"}]}"#
        let originals = [
            "[\(record), {\"text\": \"x\"}]", "{\n\"data\": [\(record)]}\n", "\(record)\n\(record)\(record)",
        ]
        var generator = SeededGenerator(seed: 3)
        for round in 0..<10_000 {
            let bytes = mutated(Array(originals[round % 3].utf8), using: &generator)
            for name in ["a.json", "a.jsonl"] {
                _ = try? RecordFile.read(Data(bytes), of: URL(filePath: name))
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
        _ text: String, _ name: String, onInvalid: InvalidRecordPolicy = .skip
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
