/// A hash table whose keys are pairs of numbers: open addressing, at most half full.
struct PairTable<Value: Sendable>: Sendable {
    private var keys: [UInt64]
    private var values: [Value]
    private let placeholder: Value
    private var count = 0

    /// - Parameters:
    ///   - capacity: how many pairs are expected.
    ///   - placeholder: fills what is free.
    init(capacity: Int, placeholder: Value) {
        self.placeholder = placeholder
        let size = Self.size(for: capacity)
        keys = Array(repeating: Self.free, count: size)
        values = Array(repeating: placeholder, count: size)
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
        let slot = slot(Self.key(left, right))
        return keys[slot] == Self.free ? nil : values[slot]
    }

    /// Puts a value where the pair has none.
    mutating func insert(_ left: Int32, _ right: Int32, _ value: Value) {
        if 2 * (count + 1) > keys.count { grow() }
        let key = Self.key(left, right)
        let slot = slot(key)
        guard keys[slot] == Self.free else { return }
        (keys[slot], values[slot]) = (key, value)
        count += 1
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        keys = Array(repeating: Self.free, count: 2 * oldKeys.count)
        values = Array(repeating: placeholder, count: 2 * oldKeys.count)
        for (key, value) in zip(oldKeys, oldValues) where key != Self.free {
            let slot = slot(key)
            (keys[slot], values[slot]) = (key, value)
        }
    }

    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    /// Where a key is, or would be put.
    @inline(__always)
    private func slot(_ key: UInt64) -> Int {
        keys.withUnsafeBufferPointer { keys in
            let hash = (key ^ key >> 29) &* 0xBF58_476D_1CE4_E5B9
            var slot = Int(truncatingIfNeeded: hash >> 32) & (keys.count - 1)
            while keys[slot] != key, keys[slot] != Self.free { slot = (slot + 1) & (keys.count - 1) }
            return slot
        }
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
