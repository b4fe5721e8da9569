/// A hash table whose keys are pairs of numbers: open addressing, at most half full.
struct PairTable<Value: Sendable>: Sendable {
    /// A key beside its value: what is found is read from one place.
    private struct Slot: Sendable {
        var key: UInt64
        var value: Value
    }

    private var slots: [Slot]
    private let placeholder: Value
    private var count = 0

    /// - Parameters:
    ///   - capacity: how many pairs are expected.
    ///   - placeholder: fills what is free.
    init(capacity: Int, placeholder: Value) {
        self.placeholder = placeholder
        slots = Array(repeating: Slot(key: Self.free, value: placeholder), count: Self.size(for: capacity))
    }

    /// The pair of −1 and −1 is no key.
    private static var free: UInt64 { .max }

    private static func size(for count: Int) -> Int {
        var size = 16
        while size < 2 * count { size *= 2 }
        return size
    }

    @inline(__always)
    subscript(left: Int32, right: Int32) -> Value? {
        let key = Self.key(left, right)
        return slots.withUnsafeBufferPointer { slots in
            let slot = slots[Self.slot(key, in: slots)]
            return slot.key == Self.free ? nil : slot.value
        }
    }

    /// In an order that depends on nothing but what was put in.
    func forEach(_ body: (Int32, Int32, Value) -> Void) {
        for slot in slots where slot.key != Self.free {
            body(Int32(truncatingIfNeeded: slot.key >> 32), Int32(truncatingIfNeeded: slot.key), slot.value)
        }
    }

    /// Puts a value where the pair has none.
    mutating func insert(_ left: Int32, _ right: Int32, _ value: Value) {
        if 2 * (count + 1) > slots.count { grow() }
        let key = Self.key(left, right)
        let place = slots.withUnsafeBufferPointer { Self.slot(key, in: $0) }
        guard slots[place].key == Self.free else { return }
        slots[place] = Slot(key: key, value: value)
        count += 1
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(key: Self.free, value: placeholder), count: 2 * old.count)
        for slot in old where slot.key != Self.free {
            let place = slots.withUnsafeBufferPointer { Self.slot(slot.key, in: $0) }
            slots[place] = slot
        }
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where a key is, or would be put.
    @inline(__always)
    private static func slot(_ key: UInt64, in slots: UnsafeBufferPointer<Slot>) -> Int {
        let hash = (key ^ key >> 29) &* 0xBF58_476D_1CE4_E5B9
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash >> 32) & mask
        while slots[slot].key != key, slots[slot].key != free { slot = (slot + 1) & mask }
        return slot
    }
}

/// The pairs of tokens that merge, with the rank of each merge (lower first) and the token that it makes.
struct MergeTable: Sendable {
    struct Merge: Sendable {
        var rank: Int32
        var id: TokenID
    }

    private var table: PairTable<Merge>

    /// - Parameter merges: in the order of their ranks; of equal pairs the first counts.
    init(_ merges: [(left: TokenID, right: TokenID, id: TokenID)]) {
        table = PairTable(capacity: merges.count, placeholder: Merge(rank: 0, id: 0))
        for (rank, merge) in merges.enumerated() {
            table.insert(merge.left, merge.right, Merge(rank: Int32(rank), id: merge.id))
        }
    }

    func add(to hash: inout StableHash) {
        table.forEach { left, right, merge in
            for number in [left, right, merge.rank, merge.id] { hash.add(number) }
        }
    }

    /// Every pair.
    func forEach(_ body: (_ left: TokenID, _ right: TokenID) -> Void) {
        table.forEach { left, right, _ in body(left, right) }
    }

    @inline(__always)
    func merge(_ left: TokenID, _ right: TokenID) -> Merge? { table[left, right] }
}

/// A trie over the bytes of a vocabulary's tokens.
struct TokenTrie: Sendable {
    private var children: PairTable<Int32>
    /// The token that ends at each node, or −1.
    private var tokens: [TokenID] = [-1]

    init(_ vocabulary: Vocabulary) {
        children = PairTable(capacity: 4 * vocabulary.count, placeholder: 0)
        for id in 0..<TokenID(vocabulary.count) where !vocabulary.bytes(of: id).isEmpty {
            var node: Int32 = 0
            for byte in vocabulary.bytes(of: id) {
                if let child = children[node, Int32(byte)] {
                    node = child
                } else {
                    let child = Int32(tokens.count)
                    children.insert(node, Int32(byte), child)
                    tokens.append(-1)
                    node = child
                }
            }
            if tokens[Int(node)] < 0 { tokens[Int(node)] = id }
        }
    }

    /// Calls `body` with each token that `bytes` has at `start`, the shortest first, and its end.
    @inline(__always)
    func forEachPrefix(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, _ body: (TokenID, _ end: Int) -> Void) {
        var node: Int32 = 0
        var place = start
        while place < bytes.count, let child = children[node, Int32(bytes[place])] {
            node = child
            place += 1
            if tokens[Int(node)] >= 0 { body(tokens[Int(node)], place) }
        }
    }
}
