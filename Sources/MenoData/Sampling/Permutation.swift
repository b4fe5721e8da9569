/// Seeded random orders that are the same on every machine and with every version of Swift.
package enum Permutation {
    /// The numbers 0..<count in the order that the seed and the stream give (Fisher–Yates over SplitMix64).
    /// - Parameter stream: tells apart the orders of one seed: the split, each epoch.
    package static func make(count: Int, seed: UInt64, stream: UInt64 = 0) -> [Int] {
        var generator = SplitMix64(seed: seed, stream: stream)
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, generator.below(last + 1)) }
        return order
    }
}

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix64 {
    private var state: UInt64

    init(seed: UInt64, stream: UInt64) {
        state = seed
        state = next() ^ stream
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    /// A number in 0..<bound, each equally probable: draws from the incomplete last round are thrown away.
    mutating func below(_ bound: Int) -> Int {
        let bound = UInt64(bound)
        let limit = UInt64.max - UInt64.max % bound
        var value = next()
        while value >= limit { value = next() }
        return Int(value % bound)
    }
}
