/// The tokens of recent stretches of text. Most text repeats its words.
///
/// The table has a fixed size. A stretch replaces another one in the same slot.
struct TokenCache {
    /// What a stretch is: the tokens of the same bytes may differ.
    enum Kind: UInt16 {
        /// A whole piece.
        case piece = 0
        /// A part of a piece across whose ends nothing merges.
        case run = 0x8000
    }

    /// A token, by the bytes of its stretch.
    struct Token {
        var id: TokenID
        var start: UInt16
        var end: UInt16
    }

    /// Bytes of the longest stretch that is kept.
    static let longest = 64
    private static let slotCount = 1 << 14
    /// The cache is emptied when it holds this many words, including those of replaced stretches.
    private static let wordLimit = 1 << 18

    /// Half of a hash, and the place in ``words`` of a stretch that has it.
    private struct Slot {
        var check: UInt32 = 0
        var place: UInt32 = 0
    }

    private var slots: [Slot] = []
    /// For each stretch: a word with its size, kind and number of tokens, then its bytes, then its tokens. Empty slots point at
    /// the first word, which belongs to no stretch.
    private var words: [UInt64] = []

    static func hash(_ bytes: UnsafeBufferPointer<UInt8>, _ kind: Kind) -> UInt64 {
        var hash = UInt64(bytes.count) &+ UInt64(kind.rawValue)
        forEachWord(of: bytes) { word in
            hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 32
        }
        return hash ^ hash >> 15
    }

    /// Eight bytes at a time; the last word is padded with zeros.
    @inline(__always)
    private static func forEachWord(of bytes: UnsafeBufferPointer<UInt8>, _ body: (UInt64) -> Void) {
        guard let base = bytes.baseAddress.map({ UnsafeRawPointer($0) }) else { return }
        var place = 0
        while place + 8 <= bytes.count {
            body(base.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            place += 8
        }
        guard place < bytes.count else { return }
        var rest: UInt64 = 0
        for index in stride(from: bytes.count - 1, through: place, by: -1) { rest = rest << 8 | UInt64(bytes[index]) }
        body(rest)
    }

    private static func header(_ bytes: UnsafeBufferPointer<UInt8>, _ kind: Kind) -> UInt64 {
        UInt64(bytes.count) | UInt64(kind.rawValue)
    }

    /// Calls `body` with each token of a stretch that is known.
    /// - Returns: `false` where it is not.
    @inline(__always)
    func forEachToken(
        of stretch: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ kind: Kind, _ body: (Token) -> Void
    ) -> Bool {
        guard !slots.isEmpty else { return false }
        return words.withUnsafeBufferPointer { words in
            let slot = slots[Int(hash & UInt64(Self.slotCount - 1))]
            guard slot.check == UInt32(truncatingIfNeeded: hash >> 32) else { return false }
            var place = Int(slot.place)
            guard words[place] & 0xFFFF == Self.header(stretch, kind) else { return false }
            let count = Int(words[place] >> 16)
            var isEqual = true
            Self.forEachWord(of: stretch) { word in
                place += 1
                if words[place] != word { isEqual = false }
            }
            guard isEqual else { return false }
            for word in words[place + 1..<place + 1 + count] {
                body(
                    Token(
                        id: TokenID(truncatingIfNeeded: word >> 32), start: UInt16(truncatingIfNeeded: word >> 16),
                        end: UInt16(truncatingIfNeeded: word)))
            }
            return true
        }
    }

    /// - Parameter write: calls its argument with the tokens of the stretch.
    @inline(__always)
    mutating func insert(
        _ stretch: UnsafeBufferPointer<UInt8>, _ hash: UInt64, _ kind: Kind, _ write: ((Token) -> Void) -> Void
    ) {
        if slots.isEmpty || words.count + 2 * Self.longest > Self.wordLimit {
            slots = Array(repeating: Slot(), count: Self.slotCount)
            words.removeAll(keepingCapacity: true)
            words.reserveCapacity(Self.wordLimit)
            words.append(0)
        }
        let place = words.count
        words.append(Self.header(stretch, kind))
        Self.forEachWord(of: stretch) { words.append($0) }
        let start = words.count
        write { token in
            words.append(
                UInt64(UInt32(bitPattern: token.id)) << 32 | UInt64(token.start) << 16 | UInt64(token.end))
        }
        words[place] |= UInt64(words.count - start) << 16
        slots[Int(hash & UInt64(Self.slotCount - 1))] = Slot(
            check: UInt32(truncatingIfNeeded: hash >> 32), place: UInt32(place))
    }
}
