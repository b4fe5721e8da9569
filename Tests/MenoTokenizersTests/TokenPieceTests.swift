import Foundation
import MenoTesting
import Testing

@testable import MenoTokenizers

@Suite struct TokenPieceTests {
    /// Characters whose bytes are spread over tokens are shown, not the replacement character.
    @Test(arguments: ["smollm", "gpt2", "qwen", "llama2", "gemma"]) func charactersAreWhole(_ family: String) throws {
        let tokenizer = try Tokenizer.load(Fixtures.url("tokenizers/families/\(family).tokenizer.json"))
        for text in ["徳とは何か。", "naïve 🏺🏛️ question", "𝔖𝔬𝔠𝔯𝔞𝔱𝔢𝔰", "plain words"] {
            let ids = tokenizer.encode(text).ids
            guard !tokenizer.decode(ids).contains("\u{FFFD}") else { continue }
            let pieces = tokenizer.pieces(of: ids)
            #expect(pieces.map(\.id) == ids)
            #expect(!pieces.contains { $0.text.contains("\u{FFFD}") }, "\(family) \(pieces)")
            // Each character stands once among the first parts.
            let joined = pieces.filter { $0.part == 1 }.map(\.text).joined()
            #expect(
                joined.filter { !$0.isWhitespace } == tokenizer.decode(ids).filter { !$0.isWhitespace }, "\(family)")
        }
    }

    @Test func partsAreCounted() throws {
        let tokenizer = try Tokenizer.load(Fixtures.url("tokenizers/families/smollm.tokenizer.json"))
        let pieces = tokenizer.pieces(of: tokenizer.encode("🏺").ids)
        #expect(pieces.count > 1)
        #expect(pieces.map(\.description) == (1...pieces.count).map { "\"🏺\" (\($0) of \(pieces.count))" })
        // A character that is cut off stays what it is.
        let cut = tokenizer.pieces(of: tokenizer.encode("🏺").ids.dropLast())
        #expect(cut.allSatisfy { $0.parts == 1 && $0.text.contains("\u{FFFD}") })
    }
}
