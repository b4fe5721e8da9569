/// SentencePiece's byte-pair encoding: characters are merged into the tokens with the best scores; characters without a
/// token become byte tokens. Spaces are written `▁`.
struct SentencePieceBPE: Sendable {
    let vocabulary: Vocabulary
    /// The higher the earlier a token is made.
    let scores: [Float]
    /// The token of each byte, `<0x00>` to `<0xFF>`.
    let byteTokens: [TokenID?]
    let unknown: TokenID?

    static let space: [UInt8] = [0xE2, 0x96, 0x81]

    /// Appends the tokens of `text[range]`.
    func encode(_ text: [UInt8], _ range: Range<Int>, into encoding: inout Encoding) {
        var normalized: [UInt8] = []
        normalized.reserveCapacity(range.count * 2)
        // The place in `text` of each normalised byte, and of the end.
        var places: [Int] = []
        var symbols: [(id: TokenID, start: Int, end: Int)] = []
        var place = range.lowerBound
        while place < range.upperBound {
            let length = min(utf8Length(text[place]), range.upperBound - place)
            let start = normalized.count
            normalized.append(contentsOf: text[place] == 0x20 ? Self.space[...] : text[place..<place + length])
            for offset in 0..<normalized.count - start { places.append(place + min(offset, length - 1)) }
            if let id = vocabulary.id(of: normalized[start...]) {
                symbols.append((id, start, normalized.count))
            } else {
                for index in start..<normalized.count {
                    symbols.append((byteTokens[Int(normalized[index])] ?? unknown ?? 0, index, index + 1))
                }
            }
            place += length
        }
        places.append(range.upperBound)
        var queue = MergeQueue(symbols)
        let merged = queue.merge { left, right in
            guard let id = vocabulary.id(of: normalized[left.start..<right.end]) else { return nil }
            // Of tokens with the same score (runs of spaces) those of the shortest parts are made first, the left one
            // counting more.
            let lengths = [left, right].map { characterCount(normalized[$0.start..<$0.end]) }
            return (id, .init(score: Double(scores[Int(id)]), length: -(lengths[0] << 32 | lengths[1])))
        }
        for symbol in merged {
            encoding.ids.append(symbol.id)
            encoding.byteRanges.append(places[symbol.start]..<places[symbol.end])
        }
    }
}

/// The bytes of the UTF-8 character that begins with `first`.
func utf8Length(_ first: UInt8) -> Int {
    switch first {
    case 0..<0xC0: 1
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    default: 4
    }
}

/// The number of characters of a UTF-8 text.
private func characterCount(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } }
