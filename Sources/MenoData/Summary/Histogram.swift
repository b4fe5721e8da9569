/// How often each number occurs: as exact as a list of the numbers, without keeping one.
package struct Histogram: Sendable, Hashable {
    private(set) var counts: [Int: Int] = [:]

    package init() {}

    package var count: Int { counts.values.reduce(0, +) }

    package mutating func add(_ number: Int, count: Int = 1) { counts[number, default: 0] += count }

    package mutating func add(_ other: Histogram) {
        for (number, count) in other.counts { add(number, count: count) }
    }

    /// `nil` where there is no number.
    package var spread: DataSummary.Spread? {
        let sorted = counts.sorted { $0.key < $1.key }
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let count = count
        let at = { (share: Double) -> Int in
            var before = min(count - 1, Int(share * Double(count)))
            for (number, count) in sorted {
                if before < count { return number }
                before -= count
            }
            return last.key
        }
        return DataSummary.Spread(
            least: first.key, half: at(0.5), nineTenths: at(0.9), most: last.key,
            total: sorted.reduce(0) { $0 + $1.key * $1.value })
    }
}
