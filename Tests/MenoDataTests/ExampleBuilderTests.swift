import Foundation
import MenoFormats
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
        // ChatML's turns begin with SmolLM2's BOS; its template opens with a system turn of its own.
        #expect(example.ids.count { $0 == tokenizer.bosID } == (end == "<end_of_turn>" ? 1 : 5))
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

    private func learnt(
        _ messages: [ChatMessage], _ target: LossTarget, template: ChatTemplate = .chatML,
        promptTurns: Int = 0
    ) throws -> String {
        let tokenizer = try tokenizer()
        var report = DataReport()
        let record = Record(place: "1", content: .dialogue(messages), promptTurns: promptTurns)
        let builder = ExampleBuilder(tokenizer: tokenizer, template: template, maxLength: 1024, lossTarget: target)
        let example = try #require(try builder.examples(from: [record], report: &report).first)
        return tokenizer.decode(zip(example.ids, example.labels).filter { $1 != Example.ignoredLabel }.map(\.0))
    }

    private let turns: [ChatMessage] = [
        .init(.user, "ask"), .init(.assistant, "first"), .init(.user, "again"), .init(.assistant, "second"),
    ]

    @Test(arguments: [false, true])
    func lossGoesToTheAnswersThatAreAskedFor(isJinja: Bool) throws {
        // Without blocks that mark the answers.
        let template: ChatTemplate =
            isJinja
            ? .jinja(try JinjaChatTemplate(ChatTemplate.chatML.source, name: "t.jinja", tokenizer: tokenizer()))
            : .chatML
        let first = "first<|im_end|>"
        #expect(try learnt(turns, .completions, template: template) == "\(first)second<|im_end|>")
        #expect(try learnt(turns, .lastCompletion, template: template) == "second<|im_end|>")
        #expect(try learnt(turns, .completions, template: template, promptTurns: 3) == "second<|im_end|>")
        var messages = turns
        messages[1].carriesLoss = false
        #expect(try learnt(messages, .completions, template: template) == "second<|im_end|>")
        let whole = try learnt(messages, .all, template: template)
        #expect(!whole.contains("first") && whole.contains("again") && whole.contains("second<|im_end|>"))
        messages[2].carriesLoss = false
        let rest = try learnt(messages, .all, template: template)
        #expect(!rest.contains("again") && rest.contains("ask") && rest.contains("second"))
        messages[3].carriesLoss = false
        #expect(throws: DataError.self) { try learnt(messages, .completions, template: template) }
    }

    @Test func aTokenBelongsToAnAnswerIfAnyByteOfItDoes() throws {
        let tokenizer = try Tokenizer.load(Fixtures.url("tokenizers/families/gpt2.tokenizer.json"))
        let prompt = "Review: I loved it.\nSentiment: "
        let record = Record(place: "line 3", content: .completion(prompt: prompt, completion: "courage"))
        var report = DataReport()
        let builder = ExampleBuilder(tokenizer: tokenizer, template: nil, maxLength: 64, lossTarget: .completions)
        let example = try #require(try builder.examples(from: [record], report: &report).first)
        let learnt = tokenizer.decode(zip(example.ids, example.labels).filter { $1 != Example.ignoredLabel }.map(\.0))
        #expect(learnt.contains("courage"))
        #expect(report.remarks.contains { $0.contains("records: 1; the first: line 3") }, "\(report.remarks)")
        let clean = Record(place: "1", content: .completion(prompt: "Sentiment:", completion: " courage"))
        var quiet = DataReport()
        _ = try builder.examples(from: [clean], report: &quiet)
        #expect(quiet.remarks.isEmpty || !quiet.remarks.contains { $0.contains("tokens merge") })
    }

    /// What a template does not write is named once, with how many records say it.
    @Test func whatNobodyReadsIsCounted() throws {
        let thinking = """
            {% for m in messages %}{{ '<' + m.role + '>' }}{% if m.reasoning_content %}{{ m.reasoning_content }}{% endif %}\
            {{ m.content }}{% endfor %}{% if enable_thinking is defined %}{{ enable_thinking }}{% endif %}
            """
        let template = ChatTemplate.jinja(try JinjaChatTemplate(thinking, name: "t.jinja", tokenizer: tokenizer()))
        var messages = turns
        messages[0].members = [.init("name", .string("Ann"))]
        messages[1].members = [.init("reasoning_content", .string("Hmm.")), .init("weight", .integer(1))]
        let records =
            (0..<3).map {
                Record(
                    place: "\($0)", content: .dialogue($0 == 2 ? turns : messages),
                    variables: [.init("enable_thinking", .boolean(false)), .init("id", .integer($0))])
            } + [Record(place: "3", content: .text("a"), variables: [.init("label", .integer(1))])]
        for (template, turns, ids) in [
            (template, "\"name\" (2)", "\"id\" (3), \"label\" (1)"),
            (.chatML, "\"name\" (2), \"reasoning_content\" (2)", "\"enable_thinking\" (3), \"id\" (3), \"label\" (1)"),
        ] {
            var report = DataReport()
            let builder = try ExampleBuilder(tokenizer: tokenizer(), template: template, maxLength: 512)
            #expect(try builder.examples(from: records, report: &report).count == 4)
            #expect(report.remarks.contains { $0.hasPrefix("members of turns") && $0.hasSuffix(": \(turns).") })
            #expect(report.remarks.contains { $0.hasPrefix("members of records") && $0.hasSuffix(": \(ids).") })
        }
    }

    @Test func valuesOfTheConfigurationReachTheTemplate() throws {
        let source = "{{ tone }}|{% for m in messages %}{{ m.content }}{% endfor %}"
        let template = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t.jinja", tokenizer: tokenizer()))
        let builder = try ExampleBuilder(
            tokenizer: tokenizer(), template: template, maxLength: 512, variables: [.init("tone", .string("calm"))])
        var report = DataReport()
        let records = [[], [JSONValue.Member("tone", .string("loud"))]].map {
            Record(place: "1", content: .dialogue(turns), variables: $0)
        }
        let texts = try builder.examples(from: records, report: &report).map { try tokenizer().decode($0.ids) }
        #expect(texts[0].hasPrefix("calm|") && texts[1].hasPrefix("loud|"))
    }

    /// Without its calls, a turn would teach the model not to call.
    @Test func callsThatTheTemplateDoesNotWriteAreRefused() throws {
        let call = JSONValue.array([.object([.init("function", .object([.init("name", .string("f"))]))])])
        let messages = [turns[0], ChatMessage(.assistant, "", members: [.init("tool_calls", call)])]
        let source =
            "{% for m in messages %}{{ m.content }}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}{% endfor %}"
        let writing = ChatTemplate.jinja(try JinjaChatTemplate(source, name: "t.jinja", tokenizer: tokenizer()))
        for (template, count) in [(ChatTemplate.chatML, 1), (writing, 2)] {
            let builder = try ExampleBuilder(tokenizer: tokenizer(), template: template, maxLength: 512)
            var report = DataReport()
            let records = [turns, messages].map { Record(place: "1", content: .dialogue($0)) }
            #expect(try builder.examples(from: records, report: &report).count == count)
            #expect(report.problems.count == 2 - count)
        }
    }

    /// Which roles come in which order is the template's business; what it refuses is reported in its own words.
    @Test func rolesAreTheTemplatesBusiness() throws {
        let orders: [[ChatMessage]] = [
            [turns[0], turns[0], turns[1]], [turns[1], turns[0]], [.init(.system, "a"), .init(.system, "b")] + turns,
            [turns[0], .init(.init(rawValue: "developer"), "x"), turns[1]], [turns[0], .init(.assistant, "")],
        ]
        var report = DataReport()
        let records = orders.map { Record(place: "1", content: .dialogue($0)) }
        var builder = try ExampleBuilder(tokenizer: tokenizer(), template: .chatML, maxLength: 512)
        #expect(try builder.examples(from: records, report: &report).count == 5 && report.problems.isEmpty)
        builder.template = .gemma
        #expect(try builder.examples(from: records, report: &report).count == 1)
        #expect(report.problems.count == 4)
        #expect(report.problems.allSatisfy { $0.reason.contains("Conversation roles must alternate") })
    }
}
