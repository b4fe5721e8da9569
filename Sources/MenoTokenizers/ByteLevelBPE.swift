/// GPT-2's byte-pair encoding: words are cut out by a pattern, and the bytes of each are merged by a ranked list of pairs.
struct ByteLevelBPE: Sendable {
    let vocabulary: Vocabulary
    /// `left << 32 | right` to the rank of the merge (lower first) and the token that it makes.
    let merges: [UInt64: (rank: Int, id: TokenID)]
    /// The token of each single byte; a byte without one is left out of the result, as Hugging Face has it.
    let byteTokens: [TokenID?]
    let splitsDigits: Bool

    static func pair(_ left: TokenID, _ right: TokenID) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Appends the tokens of `text[range]`.
    func encode(_ text: [UInt8], _ range: Range<Int>, into encoding: inout Encoding) {
        for word in WordScanner(text, range, splitsDigits: splitsDigits).words() {
            var queue = MergeQueue(
                word.compactMap { place in byteTokens[Int(text[place])].map { ($0, place, place + 1) } })
            let merged = queue.merge { left, right in
                merges[Self.pair(left.id, right.id)].map { ($0.id, .init(score: -Double($0.rank))) }
            }
            for symbol in merged {
                encoding.ids.append(symbol.id)
                encoding.byteRanges.append(symbol.start..<symbol.end)
            }
        }
    }

    /// GPT-2's printable stand-in for each byte: itself where it is printable, else the next character from U+0100 on.
    static let byteCharacters: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt32(0)...255).map { byte in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return Unicode.Scalar(byte)!
            }
            defer { next += 1 }
            return Unicode.Scalar(next)!
        }
    }()

    private static let characterBytes = Dictionary(
        uniqueKeysWithValues: byteCharacters.enumerated().map { ($1, UInt8($0)) })

    /// The bytes that a token of stand-ins means; its own UTF-8 where a character is no stand-in.
    static func bytes(of token: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in token.unicodeScalars {
            guard let byte = characterBytes[scalar] else { return Array(token.utf8) }
            bytes.append(byte)
        }
        return bytes
    }
}

/// GPT-2's pattern as a scanner:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
private struct WordScanner {
    private enum Kind { case letter, number, space, other }

    private var kinds: [Kind] = []
    private var starts: [Int] = []
    private var values: [UInt32] = []
    private let splitsDigits: Bool

    init(_ text: [UInt8], _ range: Range<Int>, splitsDigits: Bool) {
        self.splitsDigits = splitsDigits
        var place = range.lowerBound
        for scalar in String(decoding: text[range], as: UTF8.self).unicodeScalars {
            starts.append(place)
            values.append(scalar.value)
            kinds.append(Self.kind(scalar))
            place += UTF8.width(scalar)
        }
        starts.append(range.upperBound)
    }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        if scalar.properties.isWhitespace { return .space }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return .letter
        case .decimalNumber, .letterNumber, .otherNumber: return .number
        default: return .other
        }
    }

    /// The byte ranges of the words.
    func words() -> [Range<Int>] {
        var words: [Range<Int>] = []
        var index = 0
        while index < kinds.count {
            var end = index
            if splitsDigits, kinds[index] == .number {
                end = index + 1
            } else {
                // Single digits are cut out first: nothing reaches across one.
                var limit = kinds.count
                if splitsDigits {
                    limit = index
                    while limit < kinds.count, kinds[limit] != .number { limit += 1 }
                }
                end = self.end(of: index, limit: limit)
            }
            words.append(starts[index]..<starts[end])
            index = end
        }
        return words
    }

    private func end(of index: Int, limit: Int) -> Int {
        if values[index] == 0x27, let length = contraction(at: index + 1, limit: limit) { return index + 1 + length }
        let body = values[index] == 0x20 && index + 1 < limit && kinds[index + 1] != .space ? index + 1 : index
        var end = body
        while end < limit, kinds[end] == kinds[body] { end += 1 }
        // Of several spaces before a word the last stays with the word (or alone).
        if kinds[body] == .space, end < limit, end - index > 1 { return end - 1 }
        return end
    }

    private func contraction(at index: Int, limit: Int) -> Int? {
        let letters = values[index..<min(limit, index + 2)].map { $0 }
        for suffix in ["s", "t", "re", "ve", "m", "ll", "d"]
        where letters.starts(with: suffix.unicodeScalars.map(\.value)) { return suffix.utf8.count }
        return nil
    }
}
