/// SentencePiece's unigram model: of all ways to cut a piece into tokens the most probable one, found by Viterbi's
/// algorithm.
struct Unigram: Sendable {
    let vocabulary: Vocabulary
    private let trie: TokenTrie
    /// The logarithm of each token's probability.
    private let scores: [Double]
    private let unknown: UnknownCharacters
    private let unknownScore: Double

    /// What an unknown character costs beyond the least probable token (SentencePiece's constant).
    private static let unknownPenalty = 10.0

    init(vocabulary: Vocabulary, scores: [Double], unknown: UnknownCharacters) {
        self.vocabulary = vocabulary
        self.scores = scores
        self.unknown = unknown
        trie = TokenTrie(vocabulary)
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
    }

    func add(to hash: inout StableHash) {
        for score in scores { hash.add(Int32(truncatingIfNeeded: score.bitPattern >> 32)) }
    }

    /// The best way to reach a place.
    private struct Arrival {
        var score: Double
        /// −1: the place was not reached.
        var start: Int32
        var id: TokenID

        static let none = Arrival(score: 0, start: -1, id: -1)
    }

    /// Stands for characters without a token; the token that is meant for them counts as one.
    private var unknownID: TokenID { unknown.unknown ?? -1 }

    /// Appends the tokens of `text[range]`.
    func encode(_ text: AlignedText, _ range: Range<Int>, into encoding: inout Encoding) {
        var parts: [(range: Range<Int>, id: TokenID)] = []
        var place = range.count
        let arrivals = text.bytes.withUnsafeBufferPointer { self.arrivals(UnsafeBufferPointer(rebasing: $0[range])) }
        while place > 0, arrivals[place].start >= 0 {
            let arrival = arrivals[place]
            let start = range.lowerBound + Int(arrival.start)
            if unknown.areFused, arrival.id == unknownID, let last = parts.last, last.id == unknownID {
                parts[parts.count - 1].range = start..<last.range.upperBound
            } else {
                parts.append((start..<range.lowerBound + place, arrival.id))
            }
            place = Int(arrival.start)
        }
        for part in parts.reversed() {
            if part.id == unknownID {
                encodeUnknown(text, part.range, into: &encoding)
            } else {
                encoding.append(part.id, part.range, of: text)
            }
        }
    }

    /// Unknown characters that were joined may be a token after all.
    private func encodeUnknown(_ text: AlignedText, _ range: Range<Int>, into encoding: inout Encoding) {
        if let id = vocabulary.id(of: text.bytes[range]) {
            encoding.append(id, range, of: text)
        } else if let byteTokens = unknown.byteTokens {
            for index in range { encoding.append(byteTokens[Int(text.bytes[index])], index..<index + 1, of: text) }
        } else if let id = unknown.unknown {
            encoding.append(id, range, of: text)
        }
    }

    private func arrivals(_ bytes: UnsafeBufferPointer<UInt8>) -> [Arrival] {
        var arrivals = [Arrival](repeating: .none, count: bytes.count + 1)
        arrivals[0].start = 0
        arrivals.withUnsafeMutableBufferPointer { arrivals in
            var place = 0
            while place < bytes.count {
                let here = arrivals[place].score
                let next = min(place + utf8Length(bytes[place]), bytes.count)
                var isKnown = false
                trie.forEachPrefix(bytes, from: place) { id, end in
                    Self.offer(Arrival(score: here + scores[Int(id)], start: Int32(place), id: id), &arrivals[end])
                    if end == next { isKnown = true }
                }
                if !isKnown {
                    Self.offer(
                        Arrival(score: here + unknownScore, start: Int32(place), id: unknownID), &arrivals[next])
                }
                place = next
            }
        }
        return arrivals
    }

    @inline(__always)
    private static func offer(_ arrival: Arrival, _ best: inout Arrival) {
        if best.start < 0 || arrival.score > best.score { best = arrival }
    }
}
