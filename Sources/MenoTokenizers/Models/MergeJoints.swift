/// Which symbols a merge may ever join: where two neighbours are no such pair, no token reaches from one to the other, however
/// much is merged on either side.
///
/// A merge joins a token that ends in one symbol with a token that begins with another; all such pairs are in a table of bits. Where
/// the symbols have small numbers, as bytes do, every pair has its own bit; else it is found by a hash, and two pairs of the same
/// hash only mean that a place is not recognised.
struct MergeJoints: Sendable {
    private let bits: [UInt64]
    private let shift: UInt64
    /// Symbols below this number have bits of their own; 0: bits are found by hashes.
    private let symbols: UInt32
    /// Whether some merge's ends are not known: then every place may be joined.
    private let isOpen: Bool

    private static let mostSymbols: UInt32 = 512

    /// - Parameter ends: the symbols that a token begins and ends with before any merge.
    init(_ merges: MergeTable, _ ends: (TokenID) -> (first: TokenID?, last: TokenID?)) {
        var pairs: [(TokenID, TokenID)] = []
        var isOpen = false
        merges.forEach { left, right in
            guard let last = ends(left).last, let first = ends(right).first else {
                isOpen = true
                return
            }
            pairs.append((last, first))
        }
        let largest = pairs.reduce(0) { max($0, UInt32(bitPattern: $1.0), UInt32(bitPattern: $1.1)) }
        let symbols = largest < Self.mostSymbols ? largest + 1 : 0
        var size = 10
        while 1 << size < 8 * pairs.count, size < 22 { size += 1 }
        shift = UInt64(64 - size)
        let count = symbols > 0 ? Int(symbols * symbols) : 1 << size
        var bits = [UInt64](repeating: 0, count: (count + 63) / 64)
        for (last, first) in pairs {
            let place =
                symbols > 0
                ? UInt64(UInt32(bitPattern: last) * symbols + UInt32(bitPattern: first))
                : Self.hash(last, first) >> shift
            bits[Int(place >> 6)] |= 1 << (place & 63)
        }
        self.bits = bits
        self.symbols = symbols
        self.isOpen = isOpen
    }

    @inline(__always)
    private static func hash(_ left: TokenID, _ right: TokenID) -> UInt64 {
        (UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))) &* 0x9E37_79B9_7F4A_7C15
    }

    @inline(__always)
    func mayJoin(_ left: TokenID, _ right: TokenID) -> Bool {
        if isOpen { return true }
        let place: UInt64
        if symbols > 0 {
            let (left, right) = (UInt32(bitPattern: left), UInt32(bitPattern: right))
            guard left < symbols, right < symbols else { return false }
            place = UInt64(left * symbols + right)
        } else {
            place = Self.hash(left, right) >> shift
        }
        return bits.withUnsafeBufferPointer { $0[Int(place >> 6)] >> (place & 63) & 1 == 1 }
    }
}
