public import MenoData
internal import MenoModels

extension Pass {
    /// Examples laid end to end, without padding.
    public init(_ examples: [Example]) {
        self.init(
            inputIDs: examples.flatMap(\.ids), labels: examples.flatMap(\.labels),
            layout: SequenceLayout(lengths: examples.map(\.ids.count)))
    }

    /// Divides examples, in their order, into passes of at most `tokens` tokens; a longer example goes alone.
    /// - Returns: for each pass the positions of its examples.
    public static func plan(_ examples: [Example], tokens: Int) -> [Range<Int>] {
        plan(lengths: examples.map(\.ids.count), tokens: tokens)
    }

    /// The same from the examples' lengths.
    static func plan(lengths: [Int], tokens: Int) -> [Range<Int>] {
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
