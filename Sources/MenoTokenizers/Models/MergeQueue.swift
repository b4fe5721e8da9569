/// Neighbouring tokens that are merged pair by pair, the pair of the lowest rank first, of equal ones the leftmost.
///
/// Of many tokens a linked list is formed; candidate pairs wait in a binary heap, and those that a merge made stale are passed
/// over. One queue is used for piece after piece, so that its storage is allocated once.
struct MergeQueue {
    /// A run of bytes that is one token so far.
    struct Symbol {
        var id: TokenID
        var start: Int32
        /// Equal to `start` once the symbol was merged into the one before it.
        var end: Int32
        fileprivate var previous: Int32 = -1
        fileprivate var next: Int32 = -1

        init(id: TokenID, start: Int, end: Int) {
            self.id = id
            self.start = Int32(start)
            self.end = Int32(end)
        }
    }

    private struct Candidate {
        /// Rank and place of the left symbol in one number: the order of the merges.
        var order: UInt64
        var id: TokenID
        /// The sum of the ends that the pair had when it was entered: another sum means that it was merged since.
        var leftEnd: Int32
        var rightEnd: Int32
        var left: Int { Int(truncatingIfNeeded: order & 0xFFFF_FFFF) }
    }

    private var heap: [Candidate] = []

    /// Merges until no pair is left. Symbols that are left have `start < end`.
    /// - Parameters:
    ///   - symbols: between all neighbours some merge may join them.
    mutating func merge(_ symbols: UnsafeMutableBufferPointer<Symbol>, _ table: MergeTable) {
        switch symbols.count {
        case 0, 1: return
        case 2...Self.mostLookedThrough: mergeFew(symbols, table)
        default: mergeMany(symbols, table)
        }
    }

    /// Up to so many symbols it is faster to look through all pairs than to keep them sorted.
    private static let mostLookedThrough = 32

    private func mergeFew(_ symbols: UnsafeMutableBufferPointer<Symbol>, _ table: MergeTable) {
        withUnsafeTemporaryAllocation(of: MergeTable.Merge.self, capacity: symbols.count) { pairs in
            var count = symbols.count
            // The merge of each symbol with the next one.
            let none = MergeTable.Merge(rank: .max, id: -1)
            for index in 0..<count - 1 {
                pairs[index] = table.merge(symbols[index].id, symbols[index + 1].id) ?? none
            }
            while count > 1 {
                var best = 0
                for index in 1..<max(1, count - 1) where pairs[index].rank < pairs[best].rank { best = index }
                guard pairs[best].rank < .max else { break }
                symbols[best].id = pairs[best].id
                symbols[best].end = symbols[best + 1].end
                count -= 1
                for index in best + 1..<max(best + 1, count) {
                    symbols[index] = symbols[index + 1]
                    pairs[index - 1] = pairs[index]
                }
                if best > 0 { pairs[best - 1] = table.merge(symbols[best - 1].id, symbols[best].id) ?? none }
                if best + 1 < count { pairs[best] = table.merge(symbols[best].id, symbols[best + 1].id) ?? none }
            }
            for index in count..<symbols.count { symbols[index].end = symbols[index].start }
        }
    }

    private mutating func mergeMany(_ symbols: UnsafeMutableBufferPointer<Symbol>, _ table: MergeTable) {
        heap.removeAll(keepingCapacity: true)
        for index in symbols.indices {
            symbols[index].previous = Int32(index - 1)
            symbols[index].next = index + 1 < symbols.count ? Int32(index + 1) : -1
        }
        for index in symbols.indices.dropLast() { enter(left: index, symbols, table) }
        while let candidate = pop() {
            let left = candidate.left
            let right = Int(symbols[left].next)
            guard right >= 0, symbols[left].end == candidate.leftEnd, symbols[right].end == candidate.rightEnd,
                symbols[left].start < symbols[left].end
            else { continue }
            symbols[left].id = candidate.id
            symbols[left].end = symbols[right].end
            symbols[right].end = symbols[right].start
            let next = symbols[right].next
            symbols[left].next = next
            if next >= 0 { symbols[Int(next)].previous = Int32(left) }
            if symbols[left].previous >= 0 { enter(left: Int(symbols[left].previous), symbols, table) }
            enter(left: left, symbols, table)
        }
    }

    @inline(__always)
    private mutating func enter(left: Int, _ symbols: UnsafeMutableBufferPointer<Symbol>, _ table: MergeTable) {
        let right = Int(symbols[left].next)
        guard right >= 0, let merge = table.merge(symbols[left].id, symbols[right].id) else { return }
        let candidate = Candidate(
            order: UInt64(UInt32(merge.rank)) << 32 | UInt64(UInt32(left)), id: merge.id,
            leftEnd: symbols[left].end, rightEnd: symbols[right].end)
        heap.append(candidate)
        heap.withUnsafeMutableBufferPointer { heap in
            var child = heap.count - 1
            while child > 0 {
                let parent = (child - 1) / 2
                guard candidate.order < heap[parent].order else { break }
                heap[child] = heap[parent]
                child = parent
            }
            heap[child] = candidate
        }
    }

    @inline(__always)
    private mutating func pop() -> Candidate? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap.withUnsafeMutableBufferPointer { heap in
            var parent = 0
            while true {
                var child = 2 * parent + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, heap[child + 1].order < heap[child].order { child += 1 }
                guard heap[child].order < last.order else { break }
                heap[parent] = heap[child]
                parent = child
            }
            heap[parent] = last
        }
        return top
    }
}
