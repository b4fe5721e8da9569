internal import Foundation

/// Which examples each optimizer step of a run takes, counted as transformers counts them.
package struct BatchSchedule: Sendable, Hashable {
    package var exampleCount: Int
    /// Examples of a full step: those of a micro-batch times the micro-batches that are accumulated.
    package var examplesPerStep: Int
    package var seed: UInt64
    /// `false` takes the examples in their own order, every epoch the same.
    package var shuffles: Bool
    /// `[exampleCount]`: the lengths for grouping similar examples; `nil`: no grouping.
    package var lengths: [Int]?
    /// Groups of examples, by position, that are packed to count as one; `nil`: no packing. With packing, "example"
    /// here means such a group.
    package var packs: [[Int]]?
    /// An epoch takes a multiple of so many examples, and leaves the rest of its order out.
    package var microBatch: Int

    /// - Precondition: there is at least one micro-batch.
    package init(
        exampleCount: Int, examplesPerStep: Int, seed: UInt64, shuffles: Bool, lengths: [Int]? = nil,
        microBatch: Int = 1, packs: [[Int]]? = nil
    ) {
        self.packs = packs
        precondition(examplesPerStep > 0 && microBatch > 0 && exampleCount >= microBatch)
        self.microBatch = microBatch
        precondition(lengths == nil || lengths?.count == exampleCount)
        self.lengths = lengths
        self.exampleCount = exampleCount
        self.examplesPerStep = examplesPerStep
        self.seed = seed
        self.shuffles = shuffles
    }

    /// Examples of an epoch.
    private var takenCount: Int { exampleCount / microBatch * microBatch }

    /// The last step of an epoch takes what is left.
    package var stepsPerEpoch: Int { (takenCount + examplesPerStep - 1) / examplesPerStep }

    /// Steps of a run over (a fraction of) epochs, rounded up.
    package func steps(epochs: Double) -> Int { Int((epochs * Double(stepsPerEpoch)).rounded(.up)) }

    /// The examples of an optimizer step; the first is step 0.
    package func examples(ofStep step: Int) -> [Int] {
        let (epoch, within) = step.quotientAndRemainder(dividingBy: stepsPerEpoch)
        return examples(ofStep: within, in: order(ofEpoch: epoch))
    }

    /// - Parameters:
    ///   - step: counted from the beginning of the epoch.
    ///   - order: the epoch's order.
    package func examples(ofStep step: Int, in order: [Int]) -> [Int] {
        let chosen = order[step * examplesPerStep..<min(takenCount, (step + 1) * examplesPerStep)]
        return packs.map { packs in chosen.flatMap { packs[$0] } } ?? Array(chosen)
    }

    /// The order of an epoch's examples; it depends on nothing but the seed and the epoch, so a run can be taken up
    /// anywhere.
    package func order(ofEpoch epoch: Int) -> [Int] {
        let order =
            shuffles
            ? Permutation.make(count: exampleCount, seed: seed, stream: UInt64(epoch) + 1) : Array(0..<exampleCount)
        return lengths.map { grouped(order, by: $0) } ?? order
    }

    /// Sorts stretches of the order by length, longest first, as `group_by_length` of transformers does: a stretch is
    /// at most 50 steps long and at most a quarter of the epoch. The one with the longest example comes first, so that
    /// too little memory shows at once.
    private func grouped(_ order: [Int], by lengths: [Int]) -> [Int] {
        let steps = max(1, min(exampleCount / (examplesPerStep * 4), 50))
        var stretches = stride(from: 0, to: order.count, by: steps * examplesPerStep).map { start in
            order[start..<min(order.count, start + steps * examplesPerStep)].enumerated()
                .sorted { (-lengths[$0.element], $0.offset) < (-lengths[$1.element], $1.offset) }.map(\.element)
        }
        if let longest = stretches.indices.max(by: { lengths[stretches[$0][0]] < lengths[stretches[$1][0]] }) {
            // Only the longest example itself changes places: the last stretch may be a short one.
            let first = stretches[0][0]
            stretches[0][0] = stretches[longest][0]
            stretches[longest][0] = first
        }
        return stretches.flatMap { $0 }
    }
}
