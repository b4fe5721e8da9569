package import MenoData

/// How examples are divided into passes.
package struct PassPlan: Sendable {
    /// A pass, and the positions of its examples.
    package struct Part: Sendable {
        package var examples: [Int]
        package var pass: Pass
    }

    package private(set) var parts: [Part]

    /// How many times the limit on what lies in a pass its sequences may have together: attention keeps something for
    /// every token of each.
    static let mostSequenceTokens = 4

    /// Divides examples into as few passes as have at most `tokens` tokens, none of them larger than it must be; a longer
    /// example goes alone.
    /// - Parameter sharing: what the examples of a pass begin with in common lies there once, and examples are in the order
    ///   of their tokens, so that those that begin alike are neighbours. Otherwise they stay in their order.
    package init(_ examples: [Example], tokens: Int, sharing: Bool) {
        var order = Array(examples.indices)
        if sharing {
            order.sort { a, b in
                let (first, second) = (examples[a].ids, examples[b].ids)
                return first == second ? a < b : first.lexicographicallyPrecedes(second)
            }
        }
        let division = Division(order.map { examples[$0] }, sharing: sharing)
        parts = division.passes(tokens: tokens).map { range in
            Part(
                examples: Array(order[range]),
                pass: Pass(
                    order[range].map { examples[$0] }, sharedPrefix: division.sharedPrefix(of: range),
                    numbers: Array(order[range])))
        }
    }
}

/// Examples in their order as a division sees them.
private struct Division {
    let lengths: [Int]
    /// Tokens that a pass costs beside those in it: reading and packing the weights.
    private static let passCost = 64
    /// Tokens that each begins with in common with the one before it, not all of either.
    let common: [Int]

    init(_ examples: [Example], sharing: Bool) {
        lengths = examples.map(\.ids.count)
        common =
            sharing
            ? [0] + zip(examples, examples.dropFirst()).map(Self.common)
            : Array(repeating: 0, count: examples.count)
    }

    private static func common(_ a: Example, _ b: Example) -> Int {
        let most = min(a.ids.count, b.ids.count) - 1
        return (0..<max(0, most)).first { a.ids[$0] != b.ids[$0] || a.labels[$0] != b.labels[$0] } ?? max(0, most)
    }

    func sharedPrefix(of range: Range<Int>) -> Int { common[range.dropFirst()].min() ?? 0 }

    func passes(tokens: Int) -> [Range<Int>] {
        let fewest = filled(tokens: tokens).count
        // Memory is taken for the largest: the smallest limit that needs no more passes.
        var (low, high) = (min(tokens, lengths.max() ?? 0), tokens)
        while low < high {
            let middle = low + (high - low) / 2
            if filled(tokens: middle).count > fewest { low = middle + 1 } else { high = middle }
        }
        return filled(tokens: high)
    }

    /// Each pass is filled up to the limit before the next is begun, or up to an example that begins so differently that a
    /// pass of its own costs less than what the others would not have in common any more.
    private func filled(tokens: Int) -> [Range<Int>] {
        var passes: [Range<Int>] = []
        var start = 0
        var (total, shared) = (0, Int.max)
        for (index, length) in lengths.enumerated() {
            if index > start {
                let (wider, narrower) = (total + length, min(shared, common[index]))
                let (laid, more) = (total - (index - start - 1) * shared, wider - (index - start) * narrower)
                if more <= tokens, more - laid <= length + Self.passCost,
                    wider <= PassPlan.mostSequenceTokens * tokens
                {
                    (total, shared) = (wider, narrower)
                    continue
                }
                passes.append(start..<index)
            }
            (start, total, shared) = (index, length, .max)
        }
        if start < lengths.count { passes.append(start..<lengths.count) }
        return passes
    }
}
