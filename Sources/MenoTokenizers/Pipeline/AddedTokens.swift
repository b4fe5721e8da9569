/// Tokens that are recognised in a text before anything else: the longest at the leftmost place.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        var bytes: [UInt8]
        var id: TokenID
        /// Counts only where nothing of a word, such as a letter, digit or underscore, touches it.
        var isSingleWord = false
        /// Takes the white space before it along.
        var stripsLeft = false
        /// Takes the white space behind it along.
        var stripsRight = false
    }

    /// By first byte, the longest first.
    private let tokens: [[Token]]
    /// Whether some token begins with a byte.
    private let begins: [Bool]
    let isEmpty: Bool

    init(_ tokens: [Token]) {
        var table = [[Token]](repeating: [], count: 256)
        for token in tokens { if let first = token.bytes.first { table[Int(first)].append(token) } }
        self.tokens = table.map { $0.sorted { $0.bytes.count > $1.bytes.count } }
        begins = table.map { !$0.isEmpty }
        isEmpty = tokens.isEmpty
    }

    /// Cuts a part of a text into added tokens and what lies between them.
    func split(_ text: [UInt8], _ range: Range<Int>) -> [(range: Range<Int>, id: TokenID?)] {
        if isEmpty { return range.isEmpty ? [] : [(range, nil)] }
        var parts: [(range: Range<Int>, id: TokenID?)] = []
        var start = range.lowerBound
        var place = range.lowerBound
        while place < range.upperBound {
            place = nextBeginning(text, place, range.upperBound)
            guard place < range.upperBound else { break }
            guard let token = match(text, place, range) else {
                place += 1
                continue
            }
            var found = place..<place + token.bytes.count
            place = found.upperBound
            if token.isSingleWord, touchesWord(text, found, range) { continue }
            if token.stripsLeft { found = max(start, spaceStart(text, found.lowerBound, range))..<found.upperBound }
            if token.stripsRight {
                let spaces = found.upperBound..<spaceEnd(text, found.upperBound, range)
                // White space may be a token too.
                let next = spaces.first { match(text, $0, range) != nil }
                found = found.lowerBound..<(next ?? spaces.upperBound)
            }
            if start < found.lowerBound { parts.append((start..<found.lowerBound, nil)) }
            parts.append((found, token.id))
            start = found.upperBound
            place = start
        }
        if start < range.upperBound { parts.append((start..<range.upperBound, nil)) }
        return parts
    }

    /// The next byte from `start` on that a token begins with.
    private func nextBeginning(_ text: [UInt8], _ start: Int, _ end: Int) -> Int {
        text.withUnsafeBufferPointer { text in
            begins.withUnsafeBufferPointer { begins in
                var place = start
                while place < end, !begins[Int(text[place])] { place += 1 }
                return place
            }
        }
    }

    private func match(_ text: [UInt8], _ place: Int, _ range: Range<Int>) -> Token? {
        let candidates = tokens[Int(text[place])]
        if candidates.isEmpty { return nil }
        return candidates.first { text[place..<range.upperBound].starts(with: $0.bytes) }
    }

    private func touchesWord(_ text: [UInt8], _ found: Range<Int>, _ range: Range<Int>) -> Bool {
        let before = ScalarText(text[range.lowerBound..<found.lowerBound].suffix(4)).scalars.last
        let after = ScalarText(text[found.upperBound..<range.upperBound].prefix(4)).scalars.first
        return [before, after].contains { $0.map(Self.words.contains) ?? false }
    }

    /// What the `\w` of Rust takes, with what joins characters.
    private static let words = ScalarSet([.words, .range(0x200C...0x200D)])

    private func spaceStart(_ text: [UInt8], _ end: Int, _ range: Range<Int>) -> Int {
        let scalars = ScalarText(text[range.lowerBound..<end])
        let count = scalars.scalars.reversed().prefix { ScalarCategory.isWhitespace($0) }.count
        return scalars.offsets[scalars.scalars.count - count]
    }

    private func spaceEnd(_ text: [UInt8], _ start: Int, _ range: Range<Int>) -> Int {
        var end = start
        while end < range.upperBound {
            let length = min(utf8Length(text[end]), range.upperBound - end)
            guard ScalarCategory.isWhitespace(ScalarText(text[end..<end + length]).scalars[0]) else { break }
            end += length
        }
        return end
    }
}
