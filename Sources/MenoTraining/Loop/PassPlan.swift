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
        var passes: [Range<Int>] = []
        var start = 0
        var total = 0
        for (index, example) in examples.enumerated() {
            if index > start, total + example.ids.count > tokens {
                passes.append(start..<index)
                (start, total) = (index, 0)
            }
            total += example.ids.count
        }
        if start < examples.count { passes.append(start..<examples.count) }
        return passes
    }
}
