/// What a token stands for in a text, as a person reads it. Where a character's bytes are spread over tokens, each of them shows all
/// that they come to together.
package struct TokenPiece: Sendable, Hashable, CustomStringConvertible {
    package var id: TokenID
    package var text: String
    /// The token's place among those that ``text`` takes, from 1.
    package var part = 1
    package var parts = 1

    /// `"text"`, or `"字" (2 of 3)`.
    package var description: String {
        parts == 1 ? text.debugDescription : "\(text.debugDescription) (\(part) of \(parts))"
    }
}

extension Tokenizer {
    /// The pieces of tokens in a row.
    package func pieces(of ids: some Collection<TokenID>) -> [TokenPiece] {
        let ids = Array(ids)
        var pieces: [TokenPiece] = []
        var start = 0
        while start < ids.count {
            let text = decode([ids[start]])
            guard text.contains("\u{FFFD}"), let (whole, count) = character(in: ids[start...]) else {
                pieces.append(TokenPiece(id: ids[start], text: text))
                start += 1
                continue
            }
            for part in 0..<count {
                pieces.append(TokenPiece(id: ids[start + part], text: whole, part: part + 1, parts: count))
            }
            start += count
        }
        return pieces
    }

    /// The fewest tokens from the first one on whose bytes are whole characters. A token may end in the middle of one that the next
    /// token completes and begins another in.
    private func character(in ids: ArraySlice<TokenID>) -> (text: String, count: Int)? {
        for count in 2...12 where count <= ids.count {
            let text = decode(Array(ids.prefix(count)))
            if !text.isEmpty, !text.contains("\u{FFFD}") { return (text, count) }
        }
        return nil
    }
}
