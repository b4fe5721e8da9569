import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// Remarks on all examples together: answers without an end, answers that are cut away, records that repeat.
@Suite struct ExampleRemarksTests {
    private let folder: TemporaryFolder
    private let tokenizer: Tokenizer

    /// Single characters, and EOS.
    init() throws {
        folder = try TemporaryFolder()
        var vocabulary = ["</s>": 0, "<unk>": 1, "<e>": 2]
        for character in "abcdefghijklmnopqrstuvwxyz :." { vocabulary[String(character)] = vocabulary.count }
        let special = ["</s>", "<unk>", "<e>"].map {
            ["id": vocabulary[$0]!, "content": $0, "special": true] as [String: Any]
        }
        let json: [String: Any] = [
            "added_tokens": special,
            "model": ["type": "BPE", "vocab": vocabulary, "merges": [String](), "unk_token": "<unk>"],
        ]
        try JSONSerialization.data(withJSONObject: json).write(to: folder.url.appending(path: "tokenizer.json"))
        try Data(#"{"eos_token": "</s>"}"#.utf8).write(to: folder.url.appending(path: "tokenizer_config.json"))
        tokenizer = try Tokenizer.load(folder.url)
    }

    private func template(_ answer: String, question: String = "") throws -> ChatTemplate {
        let source = """
            {%- for m in messages %}{{ m.role[0] }}: {% if m.role == 'user' %}{{ m.content }}\(question)
            {%- else %}{% generation %}{{ m.content }}\(answer){% endgeneration %}{% endif %}{% endfor -%}
            {%- if add_generation_prompt %}a: {% endif %}
            """
        return .jinja(try JinjaChatTemplate(source, name: "own.jinja", tokenizer: tokenizer))
    }

    private func dialogue(_ question: String, _ answer: String, place: String = "line 1") -> Record {
        Record(place: place, content: .dialogue([.init(.user, question), .init(.assistant, answer)]))
    }

    private func remarks(
        _ template: ChatTemplate, _ records: [Record], _ target: LossTarget = .all
    ) throws -> [String] {
        var report = DataReport()
        _ = try ExampleBuilder(tokenizer: tokenizer, template: template, maxLength: 64, lossTarget: target)
            .examples(from: records, report: &report)
        return report.remarks
    }

    @Test func aTemplateWithoutAStopTokenIsRemarkedOn() throws {
        let records = [dialogue("what", "that"), dialogue("who", "me")]
        for target in LossTarget.allCases {
            #expect(
                try remarks(template(""), records, target).count { $0.contains("no token at which generation stops") }
                    == 1)
            #expect(try remarks(template("{{ eos_token }}"), records, target).isEmpty)
            // One after the question ends no answer.
            #expect(try remarks(template("", question: "{{ eos_token }}"), records, target).count == 1)
            // A special token is not enough: generation stops at none but those that the model names.
            #expect(try remarks(template("<e>"), records, target).count == 1)
        }
    }

    @Test func aTemplateThatEndsSomeAnswersIsCounted() throws {
        let template = try template("{% if m.content == 'that' %}{{ eos_token }}{% endif %}")
        let remarks = try remarks(template, [dialogue("what", "that"), dialogue("who", "me"), dialogue("who", "you")])
        #expect(remarks.count == 1 && remarks[0].contains("in 2 of 3 dialogues"), "\(remarks)")
        // A dialogue that ends in a question says nothing of ends.
        let question = Record(
            place: "", content: .dialogue([.init(.user, "a"), .init(.assistant, "b"), .init(.user, "c")]))
        #expect(try self.remarks(self.template(""), [question]).isEmpty)
    }

    @Test func whetherAnAnswerEndsIsJudgedBeforeItIsCut() throws {
        var report = DataReport()
        _ = try ExampleBuilder(tokenizer: tokenizer, template: template("{{ eos_token }}"), maxLength: 12)
            .examples(from: [dialogue("what", "a long answer")], report: &report)
        #expect(report.remarks.isEmpty && report.problems.map(\.kind) == [.tooLong])
    }

    @Test func anAnswerBeyondTheLengthIsReportedApart() throws {
        let records = [
            dialogue("short", "a", place: "line 1"),
            dialogue("short", String(repeating: "long ", count: 9), place: "line 2"),
            dialogue(String(repeating: "long ", count: 9), "a", place: "line 3"),
            Record(
                place: "line 4", content: .completion(prompt: String(repeating: "long ", count: 9), completion: "b")),
            Record(place: "line 5", content: .text(String(repeating: "text ", count: 9))),
        ]
        var builder = try ExampleBuilder(tokenizer: tokenizer, template: template("{{ eos_token }}"), maxLength: 20)
        let build = { (builder: ExampleBuilder) in
            var report = DataReport()
            report.total = records.count
            return (try builder.examples(from: records, report: &report).map(\.place), report)
        }
        var (places, report) = try build(builder)
        #expect(places == records.map(\.place))
        #expect(report.problems.map(\.kind) == [.tooLong, .lostAnswer, .lostAnswer, .tooLong])
        #expect(report.summary == "5 records: 5 used (cut: 2 too long, cut: 2 too long, the answer lost), 0 left out")
        #expect(
            report.remarks.count == 1
                && report.remarks[0].hasPrefix("2 examples are cut before the first answer begins"))
        #expect(report.remarks[0].contains("skip_without_answer"))

        builder.lengthPolicy = .skipWithoutAnswer
        (places, report) = try build(builder)
        #expect(places == ["line 1", "line 2", "line 5"] && report.remarks.isEmpty)
        #expect(report.problems.filter { !$0.isUsed }.map(\.place) == ["line 3", "line 4"])
        #expect(report.summary.contains("2 left out (2 too long, the answer lost)"))
        // A policy of its own, that `on_invalid: stop` is not asked about.
        builder.invalidPolicy = .stop
        #expect(try build(builder).0.count == 3)

        builder.lengthPolicy = .skip
        #expect(try build(builder).0 == ["line 1"])
        // Where answers alone carry loss, nothing is left to learn, whatever the policy.
        builder.lengthPolicy = .truncate
        builder.lossTarget = .completions
        (places, report) = try build(builder)
        #expect(places == ["line 1", "line 2", "line 5"])
        #expect(report.problems.filter { !$0.isUsed }.map(\.kind) == [.lostAnswer, .lostAnswer])
    }

    @Test func repeatedExamplesAreCounted() throws {
        var report = DataReport()
        report.total = 4
        let records = [dialogue("a", "b"), dialogue("a", "c"), dialogue("a", "b"), dialogue("a", "b")]
        let examples = try ExampleBuilder(tokenizer: tokenizer, template: template("{{ eos_token }}"), maxLength: 64)
            .examples(from: records, report: &report)
        #expect(examples.count == 4 && report.repeated == 2)
        #expect(report.summary == "4 records: 4 used, 0 left out; 2 repeat earlier ones")
    }
}
