/// What tells tokenizers apart that make other tokens of a text.
extension Tokenizer {
    /// A hash over vocabulary, merges or scores, the tokens with a part to play, and the tokens of texts that the steps of
    /// tokenizers treat differently. It is the same on every machine.
    package var identity: String {
        var hash = StableHash()
        for id in 0..<TokenID(vocabularySize) { hash.add(token(of: id)?.utf8 ?? "".utf8) }
        for id in [bosID, eosID, padID, unknownID] + endOfTurnIDs.map(Optional.some) { hash.add(id ?? -1) }
        for id in specialTokenIDs.sorted() { hash.add(id) }
        addModel(to: &hash)
        for text in Self.probes {
            let encoding = encode(text, addSpecialTokens: true)
            for id in encoding.ids { hash.add(id) }
            for range in encoding.byteRanges { hash.add(Int32(truncatingIfNeeded: range.lowerBound)) }
        }
        return String(hash.value, radix: 16)
    }

    /// White space, digits, contractions, scripts, composed characters, what is not in most vocabularies, and control characters.
    private static let probes = [
        "Hello world", " Hello  world \n\n\t ", "It's they'RE 1234567 3.14 a_b-c/d", "ÀÉ e\u{301} ﬁ Ⅷ ½ ㍿ １２ ǅ",
        "日本語のテキスト、漢字かな交じり文。ｶﾀｶﾅ", "Здравствуй мир العربية עברית हिन्दी ไทย 한국어", "👩‍👩‍👧 🇯🇵 \u{1F9FF}\u{10FFFD}",
        "\u{0}\u{7}\u{200B}\u{FEFF}\r\n\u{85}", "", "a", "\n", "<s></s><|endoftext|><bos>",
    ]
}

/// FNV-1a.
struct StableHash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        value = (value ^ 0x100) &* 0x100_0000_01B3
    }

    mutating func add(_ number: Int32) {
        value = (value ^ UInt64(UInt32(bitPattern: number))) &* 0x100_0000_01B3
    }
}
