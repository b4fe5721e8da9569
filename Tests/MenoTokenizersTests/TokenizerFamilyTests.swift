import Foundation
import MenoTesting
import MenoTokenizers
import Testing

/// Small tokenizers in the shape of each family of models, against Hugging Face's library
/// (`Tests/Reference/make_tokenizer_families.py`).
@Suite struct TokenizerFamilyTests {
    struct Case: Decodable {
        var text: String
        var ids: [TokenID]
        /// How many tokens stand around a text.
        var around: Int
        var decoded: String
        var shown: String
    }

    static let families = [
        "gpt2", "roberta", "llama3", "qwen", "o200k", "deepseek", "smollm", "llama2", "mistral", "gemma", "unknown",
        "unigram", "unigram-bytes", "added",
    ]

    @Test(arguments: families) func idsAndTextsEqualHuggingFaces(_ family: String) throws {
        let tokenizer = try Tokenizer.load(Fixtures.url("tokenizers/families/\(family).tokenizer.json"))
        let cases = try JSONDecoder().decode(
            [Case].self, from: Data(contentsOf: Fixtures.url("tokenizers/families/\(family).cases.json")))
        #expect(cases.count > 150)
        for expected in cases {
            let encoding = tokenizer.encode(expected.text)
            #expect(encoding.ids == expected.ids, "\(expected.text.debugDescription)")
            let around = tokenizer.encode(expected.text, addSpecialTokens: true)
            #expect(around.ids.count == expected.ids.count + expected.around)
            let places = encoding.byteRanges
            #expect(
                zip(places, places.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound || $0 == $1 },
                "\(expected.text.debugDescription) \(places)")
            #expect(places.allSatisfy { 0 <= $0.lowerBound && $0.upperBound <= expected.text.utf8.count })
            expectEqual(tokenizer.decode(expected.ids), expected.decoded)
            expectEqual(tokenizer.decode(expected.ids, skipSpecialTokens: true), expected.shown)
        }
    }

    /// Compares bytes: Swift's strings are equal where only their normal form differs.
    private func expectEqual(_ text: String, _ expected: String) {
        #expect(Array(text.utf8) == Array(expected.utf8), "\(text.debugDescription), not \(expected.debugDescription)")
    }
}
