/// The fingerprints of many records, in about eight bytes each.
///
/// A hash table of as many numbers takes several times as much while it grows.
package struct FingerprintSet: Sendable, Hashable {
    /// By their highest bits, once there are many: so little is copied at a time when the lists grow.
    private var lists: [[UInt64]] = [[]]
    private(set) var count = 0

    private static let bits = 8
    private static let undivided = 1 << 14

    mutating func add(_ fingerprint: UInt64) {
        if lists.count == 1, count >= Self.undivided { divide() }
        insert(fingerprint)
    }

    mutating func add(_ other: FingerprintSet) {
        for list in other.lists { for fingerprint in list { add(fingerprint) } }
    }

    private mutating func insert(_ fingerprint: UInt64) {
        let place = lists.count == 1 ? 0 : Int(fingerprint >> (64 - UInt64(Self.bits)))
        let size = lists[place].count
        // An array would double.
        if size == lists[place].capacity { lists[place].reserveCapacity(size + size / 4 + 16) }
        lists[place].append(fingerprint)
        count += 1
    }

    private mutating func divide() {
        let all = lists[0]
        (lists, count) = (Array(repeating: [], count: 1 << Self.bits), 0)
        for fingerprint in all { insert(fingerprint) }
    }

    /// Every fingerprint once for each time that it was added, in no order of meaning.
    var all: some Sequence<UInt64> { lists.lazy.joined() }

    /// What was added, ready to be looked up.
    package consuming func sorted() -> Sorted {
        var lists = lists
        for place in lists.indices { lists[place].sort() }
        return Sorted(lists: lists, count: count)
    }

    /// Fingerprints that can be looked up.
    package struct Sorted: Sendable {
        fileprivate let lists: [[UInt64]]
        package let count: Int

        /// How many were added that had been added before.
        package var repeatedCount: Int {
            lists.reduce(0) { sum, list in sum + zip(list, list.dropFirst()).count { $0 == $1 } }
        }

        package func contains(_ fingerprint: UInt64) -> Bool {
            let list = lists[lists.count == 1 ? 0 : Int(fingerprint >> (64 - UInt64(FingerprintSet.bits)))]
            var (low, high) = (0, list.count)
            while low < high {
                let middle = (low + high) / 2
                if list[middle] < fingerprint { low = middle + 1 } else { high = middle }
            }
            return low < list.count && list[low] == fingerprint
        }
    }
}
