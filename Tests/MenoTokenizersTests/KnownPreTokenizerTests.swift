import Foundation
import MenoFormats
import MenoTesting
import Testing

@testable import MenoTokenizers

/// The names that GGUF files give to ways of cutting texts, against the steps of each family's `tokenizer.json`
/// (`Tests/Reference/compare_pretokenizers.py`, which compares whole vocabularies and llama.cpp too).
@Suite struct KnownPreTokenizerTests {
    struct Fixture: Decodable {
        var texts: [String]
        /// For each name and text, how many bytes each piece has.
        var cuts: [String: [[Int]]]
    }

    private func cuts(_ text: String, by preTokenizer: PreTokenizer) -> [Int] {
        let bytes = Array(text.utf8)
        var pieces = PreTokenizer.Pieces(text: AlignedText(bytes, bytes.indices), ranges: [bytes.indices])
        preTokenizer.apply(to: &pieces)
        return pieces.ranges.map(\.count).filter { $0 > 0 }
    }

    @Test func textsAreCutAsByEachFamilysTokenizer() throws {
        let fixture = try JSONDecoder().decode(
            Fixture.self, from: Data(contentsOf: Fixtures.url("tokenizers/pre-tokenizers.json")))
        #expect(fixture.cuts.count > 40)
        for (name, expected) in fixture.cuts {
            let known = try KnownPreTokenizer.named(name, path: "")
            let preTokenizer = try known.preTokenizer()
            // As tokenizer.json is read again, too.
            let component = try snakeCase().decode(TokenizerComponent.self, from: Data(known.json.utf8))
            let written = try component.preTokenizer("")
            for (text, cut) in zip(fixture.texts, expected) {
                #expect(cuts(text, by: preTokenizer) == cut, "\(name) \(text.debugDescription)")
                #expect(cuts(text, by: written) == cut, "\(name), written, \(text.debugDescription)")
            }
        }
    }

    private func snakeCase() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    @Test func everyNameHasAPattern() throws {
        let names = KnownPreTokenizer.all.flatMap(\.names)
        #expect(Set(names).count == names.count)
        for known in KnownPreTokenizer.all { _ = try known.preTokenizer() }
    }

    @Test func anUnknownNameIsRefusedWithTheNearest() throws {
        let error = #expect(throws: TokenizerError.self) { try KnownPreTokenizer.named("llama-bpee", path: "x.gguf") }
        let text = try #require(error).description
        #expect(text.contains("\"llama-bpee\"") && text.contains("llama-bpe.") && text.contains("tekken"))
    }
}
