/// A token's number.
package typealias TokenID = Int32

/// Tokens by number and by their exact bytes. (Swift compares strings by canonical equivalence, which would confuse
/// composed and decomposed characters.)
struct Vocabulary: Sendable {
    private var storage: [UInt8] = []
    /// The first byte of each token in `storage`, and the end.
    private var offsets: [Int] = [0]
    /// An open-addressing table of numbers; −1 is free.
    private var slots: [TokenID]

    /// - Parameter tokens: the bytes of each token; of equal ones the first counts. An empty one is a hole.
    init(_ tokens: [[UInt8]]) {
        storage.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
        offsets.reserveCapacity(tokens.count + 1)
        slots = Array(repeating: -1, count: Self.tableSize(tokens.count))
        for (id, token) in tokens.enumerated() {
            storage += token
            offsets.append(storage.count)
            let slot = token.withUnsafeBufferPointer(slot)
            if !token.isEmpty, slots[slot] < 0 { slots[slot] = TokenID(id) }
        }
    }

    /// A power of two that leaves at least half of the table free.
    private static func tableSize(_ count: Int) -> Int {
        var size = 16
        while size < 2 * count { size *= 2 }
        return size
    }

    var count: Int { offsets.count - 1 }
    func bytes(of id: TokenID) -> ArraySlice<UInt8> { storage[offsets[Int(id)]..<offsets[Int(id) + 1]] }

    func id(of bytes: UnsafeBufferPointer<UInt8>) -> TokenID? {
        let id = slots[slot(bytes)]
        return id < 0 ? nil : id
    }
    func id(of bytes: ArraySlice<UInt8>) -> TokenID? { bytes.withUnsafeBufferPointer { id(of: $0) } }
    func id(of text: String) -> TokenID? { id(of: Array(text.utf8)[...]) }

    /// Where a token is, or would be put.
    private func slot(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        // FNV-1a, mixed once more since only the low bits are used.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 29) &* 0xBF58_476D_1CE4_E5B9
        var slot = Int(truncatingIfNeeded: hash >> 32) & (slots.count - 1)
        while slots[slot] >= 0, !equals(slots[slot], bytes) { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    private func equals(_ id: TokenID, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let (start, end) = (offsets[Int(id)], offsets[Int(id) + 1])
        guard end - start == bytes.count else { return false }
        return storage.withUnsafeBufferPointer { storage in
            for index in 0..<bytes.count where storage[start + index] != bytes[index] { return false }
            return true
        }
    }
}
