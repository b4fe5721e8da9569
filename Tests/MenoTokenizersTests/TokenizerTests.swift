import Foundation
import MenoTesting
import MenoTokenizers
import Testing

/// Against Hugging Face's tokenizers with the real vocabularies (`Tests/Reference/make_tokenizers.py`), where the models
/// are in the user's cache.
@Suite(.serialized) struct TokenizerTests {
    struct Values: Decodable {
        struct Text: Decodable {
            var text: String
            var ids: [TokenID]
        }
        struct Dialogue: Decodable {
            var count: Int
            var fnv: String
        }
        var texts: [Text]
        var dialogues: [Dialogue]
    }

    static let files = ["gemma-3-270m-q4_k_m.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"]
    static let present = files.filter { Fixtures.model($0) != nil }

    @Test(.enabled(if: !present.isEmpty, "no model is in the cache"), arguments: present)
    func idsEqualHuggingFaces(_ file: String) throws {
        let tokenizer = try Tokenizer.load(#require(Fixtures.model(file)))
        let values = try JSONDecoder().decode(
            Values.self, from: Data(contentsOf: Fixtures.url("tokenizers/\(file).json")))
        for expected in values.texts {
            let encoding = tokenizer.encode(expected.text)
            #expect(encoding.ids == expected.ids, "\(expected.text.debugDescription)")
            // Every byte of the text belongs to a token, and the tokens are in order.
            let covered = encoding.byteRanges.flatMap(Array.init)
            #expect(covered == covered.sorted())
            // SmolLM2 has no token for some control characters, and Gemma's `▁` is a space.
            if expected.text.unicodeScalars.contains(where: { $0.value < 9 || $0 == "▁" }) { continue }
            #expect(Set(covered) == Set(0..<expected.text.utf8.count), "\(expected.text.debugDescription)")
            #expect(
                Array(tokenizer.decode(encoding.ids).utf8) == Array(expected.text.utf8),
                "\(expected.text.debugDescription)")
        }
        guard let url = Fixtures.socraticDialogues else { return }
        struct Dialogue: Decodable {
            struct Message: Decodable { var content: String }
            var messages: [Message]
        }
        let dialogues = try JSONDecoder().decode([Dialogue].self, from: Data(contentsOf: url))
        for (dialogue, expected) in zip(dialogues, values.dialogues) {
            let ids = tokenizer.encode(dialogue.messages.map(\.content).joined(separator: "\n")).ids
            #expect(ids.count == expected.count && hash(ids) == expected.fnv)
        }
    }

    @Test(.enabled(if: present.contains(files[0]), "the model is not in the cache")) func gemmasMarkers() throws {
        let tokenizer = try Tokenizer.load(#require(Fixtures.model(Self.files[0])))
        #expect(tokenizer.vocabularySize == 262_144)
        #expect(tokenizer.encode("a", addSpecialTokens: true).ids.first == tokenizer.bosID)
        #expect(tokenizer.endOfTurnIDs.contains(try #require(tokenizer.id(of: "<end_of_turn>"))))
        let ids = tokenizer.encode("<bos>ああ<end_of_turn>").ids
        #expect(tokenizer.decode(ids, skipSpecialTokens: true) == "ああ")
    }

    @Test func aFileOfAnotherKindIsRefused() {
        #expect(throws: TokenizerError.self) { try Tokenizer.load(URL(filePath: "/nowhere/tokenizer.model")) }
    }

    @Test func aFileWithoutAVocabularyIsRefused() {
        #expect(throws: (any Error).self) { try Tokenizer.load(Fixtures.url("formats/storage.gguf")) }
    }

    private func hash(_ ids: [TokenID]) -> String {
        let value = ids.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return String(repeating: "0", count: max(0, 16 - String(value, radix: 16).count)) + String(value, radix: 16)
    }
}
