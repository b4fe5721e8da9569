import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// Pairs and judged completions, from JSON to tokens. Each letter is a token.
@Suite struct PreferenceDataTests {
    private let tiny: TinyModel
    private let tokenizer: Tokenizer

    init() throws {
        tiny = try TinyModel()
        tokenizer = try Tokenizer.load(tiny.model)
    }

    private func read(_ lines: [String], format: RecordFormat = .auto) throws -> ([Record], DataReport) {
        try RecordFile.read(Data(lines.joined(separator: "\n").utf8), of: URL(filePath: "pairs.jsonl"), format: format)
    }

    private func examples(
        _ lines: [String], _ unit: ExampleBuilder.Unit = .pairs, maxLength: Int = 64,
        policy: LengthPolicy = .truncate
    ) throws -> ([Example], DataReport) {
        var (records, report) = try read(lines)
        var builder = ExampleBuilder(
            tokenizer: tokenizer, template: nil, maxLength: maxLength, lengthPolicy: policy)
        builder.unit = unit
        return (try builder.examples(from: records, report: &report), report)
    }

    private func text(_ ids: some Sequence<Int32>) -> String { tokenizer.decode(Array(ids)) }

    @Test func aPairHasItsPromptOnce() throws {
        let (examples, _) = try examples([#"{"prompt": "why ", "chosen": "not", "rejected": "because"}"#])
        let example = try #require(examples.first)
        let preference = try #require(example.preference)
        #expect(text(example.ids) == "why not<eos>")
        #expect(text(try #require(preference.rejected)) == "why because<eos>")
        #expect(preference.promptLength == 4)
        #expect(example.labels == [-100, -100, -100, -100] + example.ids.dropFirst(4))
        #expect(example.tokenCount == 8 + 12)
        let preview = example.preview(tokenizer)
        #expect(preview.contains("line 1, chosen") && preview.contains("line 1, rejected"))
    }

    @Test func wholeTextsAreDividedWhereTheyDiffer() throws {
        let (examples, _) = try examples([#"{"chosen": "to be asked", "rejected": "to be told"}"#])
        // The space belongs to the words that follow.
        #expect(examples[0].preference?.promptLength == 5)
        #expect(text(examples[0].ids.dropFirst(5)) == " asked<eos>")
    }

    @Test func wholeConversationsAreDividedWhereTheyDiffer() throws {
        let turns = { (last: String) in
            #"[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "r"}, "#
                + #"{"role": "assistant", "content": "\#(last)"}]"#
        }
        let whole = #""chosen": \#(turns("x")), "rejected": \#(turns("y"))}"#
        let lines = [
            "{" + whole,
            // A prompt that is there besides says nothing new.
            #"{"prompt": "q", "# + whole,
            #"{"prompt": [{"role": "user", "content": "q"}], "# + whole,
        ]
        let (records, report) = try read(lines)
        #expect(report.problems.isEmpty)
        for (record, turns) in zip(records, [3, 3, 1]) {
            #expect(record.promptTurns == turns)
            guard case .dialogue(let chosen) = record.content, case .dialogue(let rejected)? = record.rejected else {
                Issue.record("no dialogues")
                continue
            }
            #expect(chosen.map(\.content) == ["q", "a", "r", "x"])
            #expect(rejected.map(\.content) == ["q", "a", "r", "y"])
        }
        let (texts, _) = try read([
            #"{"prompt": "q", "chosen": [{"role": "assistant", "content": "x"}], "rejected": [{"from": "gpt", "value": "y"}]}"#
        ])
        #expect(texts[0].promptTurns == 1)
    }

    @Test(arguments: [
        (#"{"prompt": "q", "chosen": "a"}"#, "no \"rejected\""),
        (#"{"prompt": "q", "chosen": null, "rejected": "b"}"#, "no \"chosen\""),
        (#"{"prompt": "q", "chosen": "a", "rejected": "a"}"#, "that are equal"),
        (#"{"prompt": "q", "chosen": " ", "rejected": "b"}"#, "an empty \"chosen\""),
        (#"{"prompt": "q", "chosen": "a", "rejected": 3}"#, "as \"rejected\""),
        (#"{"chosen": "a", "rejected": "ab"}"#, "ends where the other side goes on"),
        (#"{"prompt": [], "chosen": [], "rejected": [{"role": "assistant", "content": "b"}]}"#, "an empty \"chosen\""),
        (
            #"{"prompt": "q", "chosen": [{"role": "user", "content": "a"}], "rejected": [{"role": "assistant", "content": "b"}]}"#,
            "whose last turn is not the assistant's"
        ),
        (
            #"{"prompt": "q", "chosen": [{"role": "assistant", "content": ""}], "rejected": [{"role": "assistant", "content": "b"}]}"#,
            "an empty answer in \"chosen\""
        ),
        (
            #"{"chosen": [{"role": "assistant", "content": "a"}], "rejected": [{"role": "assistant", "content": "b"}]}"#,
            "begin with different turns"
        ),
    ])
    func anUnfitPairSaysWhy(_ line: String, _ reason: String) throws {
        let (records, report) = try read([#"{"prompt": "q", "chosen": "good", "rejected": "bad"}"#, line])
        #expect(records.count == 1)
        #expect(report.problems.first?.place == "line 2")
        #expect(report.problems.first?.reason.contains(reason) == true, "\(report.problems)")
    }

    @Test func recordsWithoutTwoSidesAreNoPairs() throws {
        let good = #"{"prompt": "q", "chosen": "good", "rejected": "bad"}"#
        let (pairs, report) = try examples([good, #"{"text": "alone"}"#])
        #expect(pairs.count == 1)
        #expect(report.problems.map(\.kind) == [.noPair])
        // Supervised fine-tuning learns the chosen side, and says so.
        let (learnt, other) = try examples([good], .completions)
        #expect(text(learnt[0].ids) == "qgood<eos>" && learnt[0].preference == nil)
        #expect(other.remarks.contains { $0.contains("\"rejected\" side") })
    }

    private static let limits: [(Int, LengthPolicy, [Int]?, String?)] = [
        (20, .truncate, [10, 18], nil), (12, .truncate, nil, "One side is not cut"),
        (8, .truncate, [8, 8], "at most 8"),
        (8, .skip, nil, "at most 8"), (4, .truncate, nil, "no room for a completion"),
    ]

    /// Sides of 6 and 14 tokens after a prompt of 4.
    @Test(arguments: limits)
    func oneSideIsNeverCutAlone(
        _ maxLength: Int, _ policy: LengthPolicy, _ lengths: [Int]?, _ reason: String?
    ) throws {
        let lines = [
            #"{"prompt": "abcd", "chosen": "efghi", "rejected": "jklmnopqrstuv"}"#,
            #"{"prompt": "a", "chosen": "b", "rejected": "c"}"#,
        ]
        let (examples, report) = try examples(lines, maxLength: maxLength, policy: policy)
        let first = examples.first { $0.place == "line 1" }
        #expect(first.map { [$0.ids.count, $0.preference?.rejected?.count ?? 0] } == lengths)
        #expect(
            report.problems.first.map(\.reason).map { text in reason.map(text.contains) ?? false } ?? (reason == nil))
        #expect(report.problems.allSatisfy { $0.isUsed == (lengths != nil) })
    }

    @Test func completionsAreJudgedByTheirLabels() throws {
        let lines = [
            #"{"prompt": "q", "completion": "good", "label": true}"#,
            #"{"prompt": "q", "completion": "bad", "label": 0}"#,
            #"{"prompt": "q", "completion": "what"}"#, #"{"prompt": "q", "chosen": "yes", "rejected": "no"}"#,
        ]
        let (examples, report) = try examples(lines, .judged)
        #expect(examples.map { text($0.ids) } == ["qgood<eos>", "qbad<eos>", "qyes<eos>", "qno<eos>"])
        #expect(examples.map { $0.preference?.isDesirable } == [true, false, true, false])
        #expect(report.problems.map(\.kind) == [.noLabel])
    }

    @Test func pairsThatDifferOnlyInTheirRejectedSideAreNotEqual() throws {
        let lines = ["bad", "worse", "bad"].map { #"{"prompt": "q", "chosen": "good", "rejected": "\#($0)"}"# }
        let (examples, report) = try examples(lines)
        #expect(Set(examples.map(\.contentHash)).count == 2)
        #expect(report.repeated == 1)
    }
}
