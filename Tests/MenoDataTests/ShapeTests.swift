import Foundation
import MenoFormats
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

@Suite struct ShapeTests {
    /// `Tests/Reference/make_shapes.py` has the turns from TRL and as LLaMA-Factory documents them.
    @Test func dialoguesHaveTheTurnsThatOthersMakeOfThem() throws {
        let text = try String(contentsOf: Fixtures.url("sources/shapes.json"), encoding: .utf8)
        for item in try #require(try JSONReader.value(of: text).array) {
            let record = try decoded(try #require(item["record"]))
            guard case .dialogue(let messages) = record.content else {
                Issue.record("\(item)")
                continue
            }
            let expected = item["turns"]?.array?.map { "\($0["role"]?.string ?? ""): \($0["content"]?.string ?? "")" }
            #expect(messages.map { "\($0.role.rawValue): \($0.content)" } == expected, "\(item)")
        }
    }

    @Test func questionsAndAnswersAreDialogues() throws {
        let turns = Record.Content.dialogue([.init(.user, "a?"), .init(.assistant, "b")])
        for line in [
            #"{"question": "a?", "answer": "b"}"#, #"{"prompt": "a?", "response": "b"}"#,
            #"{"prompt": "a?", "response": "b", "completion": null}"#,
            #"{"conversation": [{"human": "a?", "assistant": "b"}]}"#,
            #"{"instruction": "a?", "output": "b", "input": ""}"#,
        ] {
            #expect(try decoded(JSONReader.value(of: line)).content == turns, "\(line)")
        }
        // What had a shape before keeps it.
        let text = try decoded(JSONReader.value(of: #"{"text": "t", "instruction": "a", "output": "b"}"#))
        #expect(text.content == .text("t"))
        let pair = try decoded(JSONReader.value(of: #"{"prompt": "a", "completion": "b", "response": "c"}"#))
        #expect(pair.content == .completion(prompt: "a", completion: "b"))
    }

    @Test func otherNamesAreMapped() throws {
        let mapping = RecordMapping([
            "messages": "chat", "role": "speaker", "content": "says", "user": "Q", "assistant": "A", "system": "rules",
        ])
        let value = try JSONReader.value(
            of:
                #"{"chat": [{"speaker": "Q", "says": "a?"}, {"speaker": "A", "says": "b"}], "rules": "s", "messages": 3}"#
        )
        let record = RecordDecoder(format: .auto, mapping: mapping).decode(
            RawRecord(place: RecordPlace("row 0"), content: .value(value)))
        #expect(
            record.record?.content
                == .dialogue([.init(.system, "s"), .init(.user, "a?"), .init(.assistant, "b")]), "\(record)")
        let columns = RecordDecoder(format: .auto, mapping: RecordMapping(["prompt": "q", "completion": "a"])).decode(
            RawRecord(place: RecordPlace("row 0"), content: .value(try JSONReader.value(of: #"{"q": "x", "a": "y"}"#))))
        #expect(columns.record?.content == .completion(prompt: "x", completion: "y"))
    }

    @Test func tokensAreTakenAsTheyAre() throws {
        let record = try decoded(
            JSONReader.value(
                of: #"{"input_ids": [5, 6, 7, 0], "labels": [-100, 6, 7, -100], "attention_mask": [1, 1, 1, 0]}"#))
        #expect(record.content == .tokens([5, 6, 7], labels: [-100, 6, 7]))
        #expect(
            try decoded(JSONReader.value(of: #"{"input_ids": [5, 6]}"#)).content == .tokens([5, 6], labels: [5, 6]))
        for (line, words) in [
            (#"{"input_ids": [5, 6], "labels": [5]}"#, "2 \"input_ids\" and 1 \"labels\""),
            (#"{"input_ids": [5, 6], "labels": [6, 7]}"#, "Labels are not shifted"),
            (#"{"input_ids": [5, "a"]}"#, "no whole number"), (#"{"input_ids": []}"#, "but padding"),
        ] {
            let problem = RecordDecoder(format: .auto).decode(
                RawRecord(place: RecordPlace("line 1"), content: .json(Array(line.utf8)))
            ).problem
            #expect(problem?.reason.contains(words) == true, "\(String(describing: problem))")
        }
    }

    @Test func recordsWithImagesAreLeftOutWithTheReason() {
        for line in [
            #"{"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]}"#,
            #"{"messages": [{"role": "user", "content": "<image>?"}], "images": ["a.png"]}"#,
        ] {
            let problem = RecordDecoder(format: .auto).decode(
                RawRecord(place: RecordPlace("line 1"), content: .json(Array(line.utf8)))
            ).problem
            #expect(problem?.kind == .notText && problem?.reason.contains("only text can be trained on") == true)
        }
    }

    @Test func duplicatesButForWhiteSpaceAreFoundAndDropped() throws {
        let lines = [
            "{\"text\": \"a  b\"}", "{\"text\": \"a b \"}", "{\"text\": \"c\"}", "{\"text\": \"a\\nb\", \"id\": 7}",
        ]
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "a.jsonl")
        try Data(lines.joined(separator: "\n").utf8).write(to: url)
        let sources = try RecordSources([DataSource([url.path])], seed: 0)
        let (all, _) = try RecordFile.read(sources)
        #expect(all.count == 4 && DataSummary(all).duplicates == 2)
        let (kept, report) = try RecordFile.read(sources, onInvalid: .stop, dropsDuplicates: true)
        #expect(kept.map(\.place) == ["line 1", "line 3"])
        #expect(report.problems.map(\.reason) == ["repeats line 1.", "repeats line 1."])
        #expect(report.summary == "4 records: 2 used, 2 left out (2 duplicates)")
    }

    @Test func languagesAreGuessedByTheirLetters() throws {
        let summary = DataSummary(
            ["勇気とは何か", "courage", "是什么", "Что это", "그것은", "123"].map { Record(place: "", content: .text($0)) })
        #expect(
            Set(summary.languages.map(\.name)) == [
                "Japanese", "Latin script", "Chinese", "Cyrillic script", "Korean",
            ])
        #expect(summary.characters?.most == 7 && summary.records == 6)
    }

    private func decoded(_ value: JSONValue) throws -> Record {
        let decoded = RecordDecoder(format: .auto).decode(
            RawRecord(place: RecordPlace("line 1"), content: .value(value)))
        return try #require(decoded.record, "\(String(describing: decoded.problem))")
    }
}
