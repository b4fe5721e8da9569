/// Determines the random numbers of a pass: from a key, a number for each row, and the column.
///
/// A row keeps its number wherever it is in a pass, so dropout and noise do not depend on how the examples of a step
/// are divided into passes, and a repeated step gets the same numbers. No generator is used.
package struct RowKeys {
    let key: UInt64
    /// The number of each row, int64, on the CPU and on the model's device.
    let hostNumbers, numbers: Tensor

    /// - Parameters:
    ///   - key: the key of a step, from ``key(seed:step:)``.
    ///   - numbers: the rows' numbers, unique within a step.
    package init(key: UInt64, numbers: [Int64], device: Device) throws {
        self.key = key
        hostNumbers = try Tensor(numbers)
        self.numbers = try hostNumbers.to(device)
    }

    private init(key: UInt64, of keys: RowKeys) {
        self.key = key
        (hostNumbers, numbers) = (keys.hostNumbers, keys.numbers)
    }

    /// Keys for one use, such as a layer's dropout.
    /// - Parameter use: ``identifier(of:)`` a name.
    package func keys(for use: UInt64) -> RowKeys { RowKeys(key: Self.mixed(key, use), of: self) }

    /// The key of an optimizer step.
    package static func key(seed: UInt64, step: Int) -> UInt64 {
        mixed(mixed(0, seed), UInt64(truncatingIfNeeded: step))
    }

    /// A number derived from a name (64-bit FNV-1a).
    package static func identifier(of name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// A key derived from another key and a number (the finalizer of SplitMix64; Steele et al., 2014).
    private static func mixed(_ key: UInt64, _ number: UInt64) -> UInt64 {
        var z = key &+ (number &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
