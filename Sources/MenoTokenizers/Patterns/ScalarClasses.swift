/// For every scalar, in which of some sets it is, as bits. Scalars of the basic plane are looked up in one table for all sets.
struct ScalarClasses: Sendable {
    /// Sets of which there are bits; further ones are asked themselves.
    static let limit = 64

    private let sets: [ScalarSet]
    /// For each scalar of the basic plane, the place of its bits in ``bits``.
    private let classes: [UInt16]
    private let bits: [UInt64]

    init(_ sets: [ScalarSet]) {
        self.sets = Array(sets.prefix(Self.limit))
        guard !sets.isEmpty else {
            (classes, bits) = ([], [])
            return
        }
        var classes = [UInt16](repeating: 0, count: 0x10000)
        var bits: [UInt64] = []
        var known: [UInt64: UInt16] = [:]
        func number(_ mask: UInt64) -> UInt16 {
            if let number = known[mask] { return number }
            let number = UInt16(bits.count)
            known[mask] = number
            bits.append(mask)
            return number
        }
        var words = [UInt64](repeating: 0, count: self.sets.count)
        for word in 0..<0x10000 / 64 {
            var isUniform = true
            for (index, set) in self.sets.enumerated() {
                words[index] = set.basicPlane[word]
                isUniform = isUniform && (words[index] == 0 || words[index] == .max)
            }
            var last: (mask: UInt64, number: UInt16)?
            for place in 0..<64 {
                if place > 0, isUniform {
                    classes[word * 64 + place] = classes[word * 64]
                    continue
                }
                var mask: UInt64 = 0
                for index in words.indices { mask |= (words[index] >> UInt64(place) & 1) << UInt64(index) }
                if last?.mask != mask { last = (mask, number(mask)) }
                classes[word * 64 + place] = last?.number ?? 0
            }
        }
        (self.classes, self.bits) = (classes, bits)
    }

    /// Appends the bits of each scalar.
    func classify(_ scalars: [UInt32], into masks: inout [UInt64]) {
        masks.removeAll(keepingCapacity: true)
        masks.reserveCapacity(scalars.count)
        var beyond: [UInt32: UInt64] = [:]
        classes.withUnsafeBufferPointer { classes in
            bits.withUnsafeBufferPointer { bits in
                for scalar in scalars {
                    if scalar < 0x10000 {
                        masks.append(classes.isEmpty ? 0 : bits[Int(classes[Int(scalar)])])
                    } else if let mask = beyond[scalar] {
                        masks.append(mask)
                    } else {
                        let mask = self.mask(scalar)
                        beyond[scalar] = mask
                        masks.append(mask)
                    }
                }
            }
        }
    }

    private func mask(_ scalar: UInt32) -> UInt64 {
        var mask: UInt64 = 0
        for (index, set) in sets.enumerated() where set.contains(scalar) { mask |= 1 << UInt64(index) }
        return mask
    }
}
