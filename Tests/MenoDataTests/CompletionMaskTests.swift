import Foundation
import MenoFormats
import MenoTesting
import MenoTokenizers
import Testing

@testable import MenoData

/// Which tokens are an answer's, token by token as transformers and TRL have it (`make_completion_masks.py`).
@Suite struct CompletionMaskTests {
    private struct Cases: Decodable {
        struct Chat: Decodable {
            var template: String
            var family: String
            /// Of templates that are no fixture.
            var source: String?
            var masks: [[Int]?]
        }
        var clean: [[String]]
        var merging: [[String]]
        var plain: [String: [[Int]]]
        var chats: [Chat]
    }

    private static let cases = Result {
        let other = ProcessInfo.processInfo.environment["MENO_MASKS"].flatMap { $0.isEmpty ? nil : $0 }.map {
            URL(filePath: $0)
        }
        return try JSONDecoder().decode(Cases.self, from: Data(contentsOf: other ?? Fixtures.url("masks/masks.json")))
    }

    private static func tokenizer(_ family: String) throws -> Tokenizer {
        try Tokenizer.load(Fixtures.url("tokenizers/families/\(family).tokenizer.json"))
    }

    /// `[tokens, first, end]`, as the fixture has it.
    private func mask(_ example: Example) -> [Int] {
        let first = example.isCompletion.firstIndex(of: true) ?? 0
        let end = (example.isCompletion.lastIndex(of: true) ?? -1) + 1
        #expect(!example.isCompletion[first..<end].contains(false))
        return [example.ids.count, first, end]
    }

    @Test func promptsAndCompletions() throws {
        let cases = try Self.cases.get()
        for (family, masks) in cases.plain {
            let builder = ExampleBuilder(tokenizer: try Self.tokenizer(family), template: nil, maxLength: 4096)
            for (index, pair) in (cases.clean + cases.merging).enumerated() {
                var report = DataReport()
                let record = Record(place: "1", content: .completion(prompt: pair[0], completion: pair[1]))
                let example = try #require(try builder.examples(from: [record], report: &report).first)
                #expect(mask(example) == masks[index], "\(family): \(pair)")
            }
        }
    }

    @Test func dialogues() throws {
        let cases = try Self.cases.get()
        let tokenizers = try Dictionary(
            uniqueKeysWithValues: Set(cases.chats.map(\.family)).map { ($0, try Self.tokenizer($0)) })
        for chat in cases.chats {
            let source =
                try chat.source
                ?? String(
                    contentsOf: Fixtures.url("jinja/templates/\(chat.template).jinja"), encoding: .utf8)
            let tokenizer = try #require(tokenizers[chat.family])
            let template: ChatTemplate
            do {
                template = .jinja(try JinjaChatTemplate(source, name: chat.template, tokenizer: tokenizer))
            } catch {
                Issue.record("\(chat.template): \(error)")
                continue
            }
            let builder = ExampleBuilder(tokenizer: tokenizer, template: template, maxLength: 4096)
            var different = 0
            for (pair, expected) in zip(cases.clean, chat.masks) {
                guard let expected else { continue }
                let messages = [ChatMessage(.user, pair[0]), ChatMessage(.assistant, pair[1])]
                var report = DataReport()
                let example = try? builder.examples(
                    from: [Record(place: "1", content: .dialogue(messages))], report: &report
                ).first
                let found = example.map(mask)
                guard found != expected else { continue }
                if different == 0 {
                    Issue.record(
                        "\(chat.template), \(chat.family), \(pair): \(found ?? []), expected \(expected) \(report.problems)"
                    )
                }
                different += 1
            }
            #expect(different == 0, "\(chat.template), \(chat.family)")
        }
    }
}
