/// Which examples are trained on and which are held out.
package struct Split: Sendable, Hashable {
    /// Positions of the training examples, in the order of the permutation.
    package var training: [Int]
    /// Positions of those held out.
    package var heldOut: [Int]

    /// A seeded permutation of all examples is cut at `trainFraction`, rounded down, as the reference notebook does.
    /// - Parameter shuffles: `false` keeps the order of the file.
    package init(count: Int, trainFraction: Double, seed: UInt64, shuffles: Bool = true) {
        let order = shuffles ? Permutation.make(count: count, seed: seed) : Array(0..<count)
        let cut = min(count, max(0, Int(Double(count) * trainFraction)))
        training = Array(order[..<cut])
        heldOut = Array(order[cut...])
    }

    /// As ``init(count:trainFraction:seed:shuffles:)``, but equal examples stay on one side: what is held out was never
    /// trained on. Where no two are equal, the split is the same.
    ///
    /// The permutation is walked through; an example that was not met before goes, with all that equal it, to the training
    /// side until that side has its share.
    package init(_ examples: [Example], trainFraction: Double, seed: UInt64, shuffles: Bool = true) {
        let plain = Split(count: examples.count, trainFraction: trainFraction, seed: seed, shuffles: shuffles)
        let groups = Dictionary(grouping: examples.indices) { examples[$0].key }
        guard groups.count < examples.count else {
            self = plain
            return
        }
        let order = plain.training + plain.heldOut
        var isTraining: [Example.Key: Bool] = [:]
        var count = 0
        for position in order {
            let key = examples[position].key
            guard isTraining[key] == nil else { continue }
            isTraining[key] = count < plain.training.count
            if count < plain.training.count { count += groups[key]?.count ?? 0 }
        }
        training = order.filter { isTraining[examples[$0].key] == true }
        heldOut = order.filter { isTraining[examples[$0].key] == false }
    }
}

/// Chooses a few examples that stand for all.
package enum BalancedSample {
    /// At most `limit` positions, spread evenly over sources and, within each, over lengths.
    ///
    /// The examples are laid in order of source and length, and every n-th is taken from a seeded start; the result
    /// keeps the order of the examples.
    package static func positions(of examples: [Example], limit: Int, seed: UInt64) -> [Int] {
        guard examples.count > limit, limit > 0 else { return limit > 0 ? Array(examples.indices) : [] }
        let laidOut = examples.indices.sorted {
            let (a, b) = (examples[$0], examples[$1])
            return (a.source ?? "", a.ids.count, $0) < (b.source ?? "", b.ids.count, $1)
        }
        var generator = SplitMix64(seed: seed, stream: 0x5A4D_504C)
        let start = Double(generator.below(1 << 20)) / Double(1 << 20)
        let stride = Double(examples.count) / Double(limit)
        return (0..<limit).map { laidOut[Int((Double($0) + start) * stride)] }.sorted()
    }
}
