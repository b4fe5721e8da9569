import MenoTesting
import Testing

@testable import MenoTokenizers

@Suite struct TokenCacheTests {
    private func found(_ text: String, _ kind: TokenCache.Kind, in cache: TokenCache) -> [TokenID]? {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            var ids: [TokenID] = []
            let isKnown = cache.forEachToken(of: bytes, TokenCache.hash(bytes, kind), kind) { ids.append($0.id) }
            return isKnown ? ids : nil
        }
    }

    private func insert(_ text: String, _ kind: TokenCache.Kind, _ ids: [TokenID], into cache: inout TokenCache) {
        Array(text.utf8).withUnsafeBufferPointer { bytes in
            cache.insert(bytes, TokenCache.hash(bytes, kind), kind) { add in
                for id in ids { add(.init(id: id, start: 0, end: UInt16(bytes.count))) }
            }
        }
    }

    @Test func stretchesAreToldApart() {
        var cache = TokenCache()
        #expect(found("", .piece, in: cache) == nil && found("a", .piece, in: cache) == nil)
        insert("word", .piece, [7, -1, .max], into: &cache)
        #expect(found("word", .piece, in: cache) == [7, -1, .max])
        #expect(found("word", .run, in: cache) == nil && found("word\0", .piece, in: cache) == nil)
        insert("word", .run, [], into: &cache)
        #expect(found("word", .run, in: cache) == [] && found("word", .piece, in: cache) == [7, -1, .max])
    }

    /// More than there is room for: what is found is right, and the latest is found.
    @Test func whatIsFoundIsRightWhenTheCacheIsFull() {
        var cache = TokenCache()
        for number in 0..<60_000 {
            let text = String(repeating: "x", count: number % 50) + "\(number)"
            insert(text, .piece, [TokenID(number)], into: &cache)
            #expect(found(text, .piece, in: cache) == [TokenID(number)])
            let other = number / 2
            let before = found(String(repeating: "x", count: other % 50) + "\(other)", .piece, in: cache)
            #expect(before == nil || before == [TokenID(other)])
        }
    }

    /// A tokenizer that has seen other texts gives the tokens of a new one.
    @Test(arguments: ["llama2", "gpt2", "roberta", "gemma"]) func tokensDoNotDependOnEarlierTexts(_ name: String) throws
    {
        let url = Fixtures.url("tokenizers/families/\(name).tokenizer.json")
        let used = try Tokenizer.load(url)
        var generator = Generator(state: 3)
        let parts = [
            "the", " cat", "  ", "s", "ed\n", "漢字", "かな", "。", "é", "e\u{301}", "😀", "123", "'ll", "\u{0}", "<s>",
        ]
        for _ in 0..<40 {
            let text = (0..<Int.random(in: 1...60, using: &generator)).map { _ in
                parts.randomElement(using: &generator)!
            }.joined()
            let new = try Tokenizer.load(url)
            #expect(used.encode(text) == new.encode(text), "\(text.debugDescription)")
            #expect(used.encode(text) == new.encode(text), "again, \(text.debugDescription)")
        }
    }
}
