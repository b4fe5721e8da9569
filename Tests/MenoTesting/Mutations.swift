/// A small seeded generator (SplitMix64), so that a failing mutation can be repeated.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A damaged copy of a valid file: bits flipped, bytes replaced, lengths made huge, parts cut out, doubled or lost.
package func mutated(_ original: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 2:
            let huge: [UInt8] = [[0xFF], [0xFF, 0xFF, 0xFF, 0x7F], Array(repeating: 0xFF, count: 8)]
                .randomElement(using: &generator)!
            for (offset, byte) in huge.enumerated() where place + offset < bytes.count { bytes[place + offset] = byte }
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...16, using: &generator)))
        case 4: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 16)], at: place)
        default: bytes.removeSubrange(place...)
        }
    }
    return bytes
}
