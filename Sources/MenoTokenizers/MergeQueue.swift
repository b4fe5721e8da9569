/// Neighbouring symbols that are merged pair by pair, the best pair first, of equally good ones the leftmost.
///
/// Symbols form a linked list; candidate pairs wait in a binary heap, and those that a merge made stale are passed over.
struct MergeQueue {
    /// A run of bytes that is one token so far.
    struct Symbol {
        var id: TokenID
        var start: Int
        var end: Int
        var previous: Int
        var next: Int
    }

    /// What a pair is worth: higher first, by `score` and then by `length`.
    struct Priority: Hashable {
        var score: Double
        var length = 0
    }

    private struct Candidate {
        var priority: Priority
        var left: Int
        /// The sizes that the pair had when it was entered: another size means that it was merged since.
        var leftEnd: Int
        var rightEnd: Int
        var merged: TokenID

        func precedes(_ other: Candidate) -> Bool {
            if priority.score != other.priority.score { return priority.score > other.priority.score }
            if priority.length != other.priority.length { return priority.length > other.priority.length }
            return left < other.left
        }
    }

    private var symbols: [Symbol]
    private var heap: [Candidate] = []

    /// - Parameter symbols: `(id, start, end)` in order, without gaps.
    init(_ symbols: [(id: TokenID, start: Int, end: Int)]) {
        self.symbols = symbols.enumerated().map { index, symbol in
            Symbol(
                id: symbol.id, start: symbol.start, end: symbol.end, previous: index - 1,
                next: index + 1 < symbols.count ? index + 1 : -1)
        }
    }

    /// Merges until no pair is left.
    /// - Parameter pair: the token that two neighbours make and its priority, higher first; `nil`: they do not merge.
    /// - Returns: the symbols that remain, in order.
    mutating func merge(_ pair: (Symbol, Symbol) -> (id: TokenID, priority: Priority)?) -> [Symbol] {
        for index in symbols.indices { enter(left: index, pair) }
        while let candidate = pop() {
            let right = symbols[candidate.left].next
            guard right >= 0, symbols[candidate.left].end == candidate.leftEnd,
                symbols[right].end == candidate.rightEnd,
                symbols[candidate.left].start >= 0
            else { continue }
            symbols[candidate.left].id = candidate.merged
            symbols[candidate.left].end = symbols[right].end
            symbols[candidate.left].next = symbols[right].next
            if symbols[right].next >= 0 { symbols[symbols[right].next].previous = candidate.left }
            symbols[right].start = -1
            if symbols[candidate.left].previous >= 0 { enter(left: symbols[candidate.left].previous, pair) }
            enter(left: candidate.left, pair)
        }
        return symbols.filter { $0.start >= 0 }
    }

    private mutating func enter(left: Int, _ pair: (Symbol, Symbol) -> (id: TokenID, priority: Priority)?) {
        let right = symbols[left].next
        guard right >= 0, let merged = pair(symbols[left], symbols[right]) else { return }
        heap.append(
            Candidate(
                priority: merged.priority, left: left, leftEnd: symbols[left].end, rightEnd: symbols[right].end,
                merged: merged.id))
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func pop() -> Candidate? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return top }
        heap[0] = last
        var parent = 0
        while true {
            var best = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[best]) {
                best = child
            }
            if best == parent { return top }
            heap.swapAt(parent, best)
            parent = best
        }
    }
}
