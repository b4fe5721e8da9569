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
        self.init(examples, as: .examples, tokens: tokens, sharing: sharing)
    }

    /// The passes of a step that is divided into logical shards first: parts of about as many tokens, whose passes are planned
    /// each for itself.
    /// - Parameter shards: how many; `nil`: none.
    static func parts(
        of examples: [Example], as arrangement: PassArrangement, tokens: Int, sharing: Bool, shards: Int?
    ) -> [Part] {
        guard let shards, shards > 1 else {
            return PassPlan(examples, as: arrangement, tokens: tokens, sharing: sharing).parts
        }
        return WorkShares(costs: examples.map(\.tokenCount), processes: shards).pieces.flatMap {
            PassPlan(examples, at: $0, as: arrangement, tokens: tokens, sharing: sharing).parts
        }
    }

    /// - Parameters:
    ///   - positions: of the examples that are divided; `nil`: all.
    ///   - arrangement: which sequences the examples are; the others as above.
    package init(
        _ examples: [Example], at positions: [Int]? = nil, as arrangement: PassArrangement, tokens: Int, sharing: Bool
    ) {
        let groups = arrangement.sequences(of: examples)
        var order = (positions ?? Array(groups.indices)).filter { !groups[$0].isEmpty }
        if sharing {
            order.sort { a, b in
                let (first, second) = (groups[a][0].ids, groups[b][0].ids)
                return first == second ? a < b : first.lexicographicallyPrecedes(second)
            }
        }
        // What dropout does to a sequence does not depend on the order of passes.
        let firstNumbers = groups.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        let division = Division(order.map { groups[$0] }, sharing: sharing)
        parts = division.passes(tokens: tokens).map { range in
            Part(
                examples: Array(order[range]),
                pass: Pass(
                    order[range].flatMap { groups[$0] }, sharedPrefix: division.sharedPrefix(of: range),
                    numbers: order[range].flatMap { firstNumbers[$0]..<firstNumbers[$0] + groups[$0].count }))
        }
    }
}

/// Examples in their order as a division sees them: groups of sequences that go through the model together.
private struct Division {
    /// Tokens of each group's sequences, and how many these are.
    private let lengths: [Int]
    private let counts: [Int]
    /// Tokens that each group begins with in common with the one before it, not all of either.
    private let common: [Int]
    /// Tokens that all sequences of a group begin with; of a single one, as many as there could be.
    private let inner: [Int]
    /// Tokens that a pass costs beside those in it: reading and packing the weights.
    private static let passCost = 64

    init(_ groups: [[PassSequence]], sharing: Bool) {
        lengths = groups.map { $0.reduce(0) { $0 + $1.ids.count } }
        counts = groups.map(\.count)
        guard sharing else {
            common = groups.map { _ in 0 }
            inner = groups.map { $0.count == 1 ? .max : 0 }
            return
        }
        common = [0] + zip(groups, groups.dropFirst()).map { Self.common($0[$0.count - 1], $1[0]) }
        inner = groups.map { group in zip(group, group.dropFirst()).map(Self.common).min() ?? .max }
    }

    private static func common(_ a: PassSequence, _ b: PassSequence) -> Int {
        let most = min(a.ids.count, b.ids.count) - 1
        return (0..<max(0, most)).first { a.ids[$0] != b.ids[$0] || a.labels[$0] != b.labels[$0] } ?? max(0, most)
    }

    func sharedPrefix(of range: Range<Int>) -> Int {
        let shared = min(common[range.dropFirst()].min() ?? .max, inner[range].min() ?? .max)
        return shared == .max ? 0 : shared
    }

    /// Tokens of a group that is alone in its pass.
    private func alone(_ group: Int) -> Int {
        lengths[group] - (counts[group] > 1 ? (counts[group] - 1) * inner[group] : 0)
    }

    func passes(tokens: Int) -> [Range<Int>] {
        let fewest = filled(tokens: tokens).count
        // Memory is taken for the largest: the smallest limit that needs no more passes.
        var (low, high) = (min(tokens, lengths.indices.map(alone).max() ?? 0), tokens)
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
        var (total, shared, count) = (0, Int.max, 0)
        for (index, length) in lengths.enumerated() {
            if index > start {
                let (wider, narrower) = (total + length, min(shared, common[index], inner[index]))
                let laid = total - (count > 1 ? (count - 1) * shared : 0)
                let more = wider - (count + counts[index] - 1) * narrower
                if more <= tokens, more - laid <= alone(index) + Self.passCost,
                    wider <= PassPlan.mostSequenceTokens * tokens
                {
                    (total, shared, count) = (wider, narrower, count + counts[index])
                    continue
                }
                passes.append(start..<index)
            }
            (start, total, shared, count) = (index, length, inner[index], counts[index])
        }
        if start < lengths.count { passes.append(start..<lengths.count) }
        return passes
    }
}
