public import MenoData
internal import MenoModels

extension Pass {
    /// Examples laid end to end, without padding.
    public init(_ examples: [Example]) {
        self.init(
            inputIDs: examples.flatMap(\.ids), labels: examples.flatMap(\.labels),
            layout: SequenceLayout(lengths: examples.map(\.ids.count)))
    }

    /// Divides examples, in their order, into as few passes as have at most `tokens` tokens, none of them larger than it
    /// must be; a longer example goes alone.
    /// - Returns: for each pass the positions of its examples.
    public static func plan(_ examples: [Example], tokens: Int) -> [Range<Int>] {
        plan(lengths: examples.map(\.ids.count), tokens: tokens)
    }

    /// The same from the examples' lengths.
    static func plan(lengths: [Int], tokens: Int) -> [Range<Int>] {
        let fewest = filled(lengths: lengths, tokens: tokens).count
        // Memory is taken for the largest: the smallest limit that needs no more passes.
        var (low, high) = (min(tokens, lengths.max() ?? 0), tokens)
        while low < high {
            let middle = low + (high - low) / 2
            if filled(lengths: lengths, tokens: middle).count > fewest { low = middle + 1 } else { high = middle }
        }
        return filled(lengths: lengths, tokens: high)
    }

    /// Each pass is filled up to the limit before the next is begun.
    private static func filled(lengths: [Int], tokens: Int) -> [Range<Int>] {
        var passes: [Range<Int>] = []
        var start = 0
        var total = 0
        for (index, length) in lengths.enumerated() {
            if index > start, total + length > tokens {
                passes.append(start..<index)
                (start, total) = (index, 0)
            }
            total += length
        }
        if start < lengths.count { passes.append(start..<lengths.count) }
        return passes
    }
}
