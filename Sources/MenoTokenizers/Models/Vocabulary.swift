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
    /// The tokens that are one character of the basic plane, by its number; −1: there is none.
    private var characters: [TokenID]

    /// - Parameter tokens: the bytes of each token; of equal ones the first counts. An empty one is a hole.
    init(_ tokens: [[UInt8]]) {
        storage.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
        offsets.reserveCapacity(tokens.count + 1)
        slots = Array(repeating: -1, count: Self.tableSize(tokens.count))
        characters = Array(repeating: -1, count: 0x10000)
        for (id, token) in tokens.enumerated() {
            storage += token
            offsets.append(storage.count)
            let slot = token.withUnsafeBufferPointer(slot)
            guard !token.isEmpty, slots[slot] < 0 else { continue }
            slots[slot] = TokenID(id)
            if let scalar = Self.basicScalar(token[...]) { characters[Int(scalar)] = TokenID(id) }
        }
    }

    /// The scalar below U+10000 that some bytes are in UTF-8; `nil` where they are something else.
    @inline(__always)
    private static func basicScalar(_ bytes: some RandomAccessCollection<UInt8>) -> UInt32? {
        let byte = { UInt32(bytes[bytes.index(bytes.startIndex, offsetBy: $0)]) }
        let isContinuation = { (index: Int) in byte(index) & 0xC0 == 0x80 }
        switch bytes.count {
        case 1: return byte(0) < 0x80 ? byte(0) : nil
        case 2:
            guard byte(0) & 0xE0 == 0xC0, isContinuation(1) else { return nil }
            let scalar = (byte(0) & 0x1F) << 6 | byte(1) & 0x3F
            return scalar >= 0x80 ? scalar : nil
        case 3:
            guard byte(0) & 0xF0 == 0xE0, isContinuation(1), isContinuation(2) else { return nil }
            let scalar = (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | byte(2) & 0x3F
            return scalar >= 0x800 ? scalar : nil
        default: return nil
        }
    }

    /// The token that is one character, whose bytes these are.
    @inline(__always)
    func id(ofCharacter bytes: UnsafeBufferPointer<UInt8>) -> TokenID? {
        guard let scalar = Self.basicScalar(bytes) else { return id(of: bytes) }
        let id = characters[Int(scalar)]
        return id < 0 ? nil : id
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
