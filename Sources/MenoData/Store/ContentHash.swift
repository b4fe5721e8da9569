/// A fast hash of 64 bits that is the same on every machine. It tells contents apart and finds damage; it withstands no
/// attack.
struct ContentHash {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var count: UInt64 = 0

    /// The product of two words, both of its halves folded.
    @inline(__always)
    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always)
    mutating func add(_ word: UInt64) {
        state = Self.fold(state ^ word, 0xD6E8_FEB8_6659_FD93 &+ count)
        count &+= 1
    }

    mutating func add(_ words: [Int32]) {
        add(UInt64(words.count))
        words.withUnsafeBufferPointer { words in
            var place = 0
            while place + 1 < words.count {
                add(UInt64(UInt32(bitPattern: words[place])) << 32 | UInt64(UInt32(bitPattern: words[place + 1])))
                place += 2
            }
            if place < words.count { add(UInt64(UInt32(bitPattern: words[place]))) }
        }
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        add(UInt64(bytes.count))
        var place = 0
        while place + 8 <= bytes.count {
            add(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)))
            place += 8
        }
        var rest: UInt64 = 0
        for index in place..<bytes.count { rest = rest << 8 | UInt64(bytes[index]) }
        add(rest)
    }

    var value: UInt64 { Self.fold(state, 0xA076_1D64_78BD_642F ^ count) }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = ContentHash()
        hash.add(bytes)
        return hash.value
    }
}

extension Example {
    /// Of tokens, labels and preference: equal for equal examples. That any two of ten million different ones have the same
    /// has a probability of 3 in a million, and would do no more than keep both on one side of the split.
    package var contentHash: UInt64 {
        var hash = ContentHash()
        hash.add(ids)
        hash.add(labels)
        if let preference {
            hash.add(preference.isDesirable ? 2 : 1)
            hash.add(preference.rejected ?? [])
        }
        return hash.value
    }
}
