import Foundation
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// With the vocabularies of the real models, where they are in the cache.
@Suite struct ExampleBuilderTests {
    static let models = ["SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m-q4_k_m.gguf"].compactMap(Fixtures.model)
    private let dialogue: [ChatMessage] = [
        .init(.user, " 勇気とは？ "), .init(.assistant, "君は恐れを知らないのかね？"), .init(.user, "はい"), .init(.assistant, "本当に？"),
    ]

    @Test(.enabled(if: !models.isEmpty, "no model is in the cache"), arguments: models)
    func completionsAreTheAssistantsTokensWithTheEndOfTurn(_ model: URL) throws {
        let tokenizer = try Tokenizer.load(model)
        let template = try ChatTemplate.named("auto", for: tokenizer)
        var report = DataReport()
        let builder = ExampleBuilder(tokenizer: tokenizer, template: template, maxLength: 256, lossTarget: .completions)
        let example = try #require(
            try builder.examples(from: [Record(place: "line 1", content: .dialogue(dialogue))], report: &report).first)
        let learnt = zip(example.ids, example.labels).filter { $0.1 != Example.ignoredLabel }.map(\.0)
        let end = try #require(template.endOfTurn)
        #expect(tokenizer.decode(learnt) == "君は恐れを知らないのかね？\(end)本当に？\(end)")
        #expect(zip(example.labels, example.isCompletion).allSatisfy { ($0 != Example.ignoredLabel) == $1 })
        #expect(example.ids.count { $0 == tokenizer.bosID } == (template == .gemma ? 1 : 4))
        #expect(example.ids.first == tokenizer.bosID)
        #expect(example.preview(tokenizer).contains("line 1"))
    }

    @Test(.enabled(if: !models.isEmpty, "no model is in the cache"), arguments: models)
    func everythingButTheFirstTokenIsLearntByDefault(_ model: URL) throws {
        let tokenizer = try Tokenizer.load(model)
        var report = DataReport()
        let builder = ExampleBuilder(
            tokenizer: tokenizer, template: try .named("auto", for: tokenizer), maxLength: 256)
        let records: [Record] = [
            .init(place: "1", content: .dialogue(dialogue)), .init(place: "2", content: .text("plain text")),
            .init(place: "3", content: .completion(prompt: "1 + 1 =", completion: " 2")),
        ]
        let examples = try builder.examples(from: records, report: &report)
        for example in examples { #expect(example.labels.dropFirst() == example.ids.dropFirst()) }
        #expect(examples.map { $0.labels[0] } == [-100, -100, -100])
        #expect(examples[1].ids.last == tokenizer.eosID && examples[2].ids.last == tokenizer.eosID)
        let completion = zip(examples[2].ids, examples[2].isCompletion).filter(\.1).map(\.0)
        #expect(tokenizer.decode(completion, skipSpecialTokens: true) == " 2")
    }

    @Test(.enabled(if: !models.isEmpty, "no model is in the cache"), arguments: models)
    func aTextThatBringsItsOwnMarkersHasThemOnce(_ model: URL) throws {
        let tokenizer = try Tokenizer.load(model)
        let (bos, eos) = (try #require(tokenizer.bosID), try #require(tokenizer.eosID))
        let (opening, end) = (try #require(tokenizer.token(of: bos)), try #require(tokenizer.token(of: eos)))
        var report = DataReport()
        let texts = ["plain text", "plain text\(end)"] + (tokenizer.addsBOS ? ["\(opening)plain text\(end)"] : [])
        let examples = try ExampleBuilder(tokenizer: tokenizer, template: nil, maxLength: 256).examples(
            from: texts.map { Record(place: $0, content: .text($0)) }
                + [Record(place: "last", content: .completion(prompt: "plain", completion: " text\(end)"))],
            report: &report)
        #expect(examples.count == texts.count + 1)
        for example in examples { #expect(example.ids == examples[0].ids, "\(example.place)") }
    }

    private func tokenizer() throws -> Tokenizer {
        try Tokenizer.load(Fixtures.url("tokenizers/families/llama2.tokenizer.json"))
    }

    /// A template of which it is not known what the assistant writes.
    @Test func aDialogueWhoseAnswersAreNotFoundIsLearntAsAWhole() throws {
        let template = ChatTemplate.jinja(
            try JinjaChatTemplate("{{ messages[-1].content }}", name: "last.jinja", tokenizer: tokenizer()))
        let record = Record(place: "line 7", content: .dialogue(dialogue + [.init(.user, "Hello?")]))
        var builder = try ExampleBuilder(tokenizer: tokenizer(), template: template, maxLength: 256)
        var report = DataReport()
        let example = try #require(try builder.examples(from: [record], report: &report).first)
        #expect(example.labelCount == example.ids.count - 1 && !example.isCompletion.contains(true))
        builder.lossTarget = .completions
        let error = #expect(throws: DataError.self) { try builder.examples(from: [record], report: &report) }
        #expect(report.problems.map(\.kind) == [.refusedByTemplate])
        #expect(error?.message.contains("last.jinja") == true)
    }

    @Test func thePolicyOfUnfitRecordsIsThatOfTheTemplateToo() throws {
        let template = ChatTemplate.jinja(
            try JinjaChatTemplate(
                "{% if messages[0].role == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
                    + "{{ messages[1].content }}",
                name: "t.jinja", tokenizer: tokenizer()))
        var builder = try ExampleBuilder(tokenizer: tokenizer(), template: template, maxLength: 8)
        builder.lengthPolicy = .skip
        let fit = Record(place: "line 1", content: .dialogue([.init(.user, "a"), .init(.assistant, "b c")]))
        let long = Record(place: "line 2", content: .text(String(repeating: "word ", count: 20)))
        let refused = Record(place: "line 3", content: .dialogue([.init(.system, "s")] + dialogue))
        let blank = Record(place: "line 4", content: .dialogue([.init(.user, "a"), .init(.assistant, "")]))
        for (records, stopped) in [([fit, long], nil), ([fit, long, refused], "line 3"), ([fit, blank], "line 4")] {
            builder.invalidPolicy = .skip
            var report = DataReport()
            #expect(try builder.examples(from: records, report: &report).count == 1)
            builder.invalidPolicy = .stop
            report = DataReport()
            do {
                #expect(try builder.examples(from: records, report: &report).count == 1 && stopped == nil)
            } catch let error as DataError {
                #expect(error.code == .invalidRecords && error.message.hasPrefix(stopped ?? "nothing"), "\(error)")
            }
        }
    }

    /// A tokenizer's file alone names no EOS.
    @Test func thatATextEndsWithoutEOSIsTold() throws {
        let builder = try ExampleBuilder(tokenizer: tokenizer(), template: .chatML, maxLength: 64)
        for (content, isTold) in [
            (Record.Content.text("a b"), true), (.completion(prompt: "a", completion: " b"), true),
            (.dialogue(dialogue), false),
        ] {
            var report = DataReport()
            _ = try builder.examples(from: [Record(place: "line 1", content: content)], report: &report)
            #expect(report.remarks.contains { $0.contains("EOS") } == isTold)
        }
    }

    @Test(.enabled(if: !models.isEmpty, "no model is in the cache"))
    func longExamplesAreCutOrLeftOutAndCounted() throws {
        let tokenizer = try Tokenizer.load(Self.models[0])
        let record = Record(place: "line 9", content: .text(String(repeating: "word ", count: 100)))
        var report = DataReport()
        report.total = 1
        var builder = ExampleBuilder(tokenizer: tokenizer, template: nil, maxLength: 10)
        #expect(try builder.examples(from: [record], report: &report).map(\.ids.count) == [10])
        #expect(report.problems.map(\.kind) == [.tooLong] && report.used == 1)
        builder.lengthPolicy = .skip
        report.problems = []
        #expect(throws: DataError.self) { try builder.examples(from: [record], report: &report) }
        #expect(report.skipped == 1)
        builder.template = nil
        #expect(throws: DataError.self) {
            try builder.examples(from: [.init(place: "", content: .dialogue(dialogue))], report: &report)
        }
    }
}
