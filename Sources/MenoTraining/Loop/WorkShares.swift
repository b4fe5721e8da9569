/// Which process does which pieces of work. It decides about time alone: what a piece comes to does not depend on who did it.
struct WorkShares {
    /// The pieces of each process, in their order.
    let pieces: [[Int]]

    /// The most expensive piece first, each goes to the process that has the least to do; of several, to the first.
    init(costs: [Int], processes: Int) {
        var loads = Array(repeating: 0, count: processes)
        var pieces = Array(repeating: [Int](), count: processes)
        for piece in costs.indices.sorted(by: { costs[$0] == costs[$1] ? $0 < $1 : costs[$0] > costs[$1] }) {
            let least = loads.indices.min { loads[$0] < loads[$1] }!
            loads[least] += costs[piece]
            pieces[least].append(piece)
        }
        self.pieces = pieces.map { $0.sorted() }
    }
}
