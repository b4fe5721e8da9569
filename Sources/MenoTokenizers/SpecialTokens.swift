/// Tokens that are recognised inside text before anything else: the longest at the leftmost place.
struct SpecialTokens: Sendable {
    private let byFirstByte: [UInt8: [(bytes: [UInt8], id: TokenID)]]

    init(_ tokens: [(bytes: [UInt8], id: TokenID)]) {
        byFirstByte = Dictionary(grouping: tokens.filter { !$0.bytes.isEmpty }) { $0.bytes[0] }
            .mapValues { $0.sorted { $0.bytes.count > $1.bytes.count } }
    }

    /// Cuts a text into special tokens and what lies between them.
    func split(_ text: [UInt8]) -> [(range: Range<Int>, id: TokenID?)] {
        var parts: [(range: Range<Int>, id: TokenID?)] = []
        var start = 0
        var place = 0
        while place < text.count {
            guard let match = byFirstByte[text[place]]?.first(where: { text[place...].starts(with: $0.bytes) }) else {
                place += 1
                continue
            }
            if start < place { parts.append((start..<place, nil)) }
            parts.append((place..<place + match.bytes.count, match.id))
            place += match.bytes.count
            start = place
        }
        if start < text.count { parts.append((start..<text.count, nil)) }
        return parts
    }
}
