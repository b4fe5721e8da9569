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
    package init(_ examples: any ExampleSource, trainFraction: Double, seed: UInt64, shuffles: Bool = true) {
        let plain = Split(count: examples.count, trainFraction: trainFraction, seed: seed, shuffles: shuffles)
        // With one side alone nothing has to be kept together.
        let groups = plain.training.isEmpty || plain.heldOut.isEmpty ? nil : EqualExamples(examples)
        guard let groups, groups.count < examples.count else {
            self = plain
            return
        }
        let order = plain.training + plain.heldOut
        var isTraining = [Bool?](repeating: nil, count: groups.count)
        var count = 0
        for position in order {
            let group = groups.group(of: position)
            guard isTraining[group] == nil else { continue }
            isTraining[group] = count < plain.training.count
            if count < plain.training.count { count += groups.size(of: group) }
        }
        training = order.filter { isTraining[groups.group(of: $0)] == true }
        heldOut = order.filter { isTraining[groups.group(of: $0)] == false }
    }
}

/// Examples by what they are, in a few bytes for each: they may be tens of millions.
private struct EqualExamples {
    /// Of each position.
    private let hashes: [UInt64]
    /// Each once, ascending.
    private let groups: [UInt64]
    /// How many examples are in each group and the ones before it.
    private let ends: [UInt32]

    init(_ examples: any ExampleSource) {
        hashes = (0..<examples.count).map { examples.contentHash(at: $0) }
        var (groups, ends): ([UInt64], [UInt32]) = ([], [])
        for (index, hash) in hashes.sorted().enumerated() {
            if groups.last == hash {
                ends[ends.count - 1] += 1
            } else {
                groups.append(hash)
                ends.append(UInt32(index + 1))
            }
        }
        (self.groups, self.ends) = (groups, ends)
    }

    var count: Int { groups.count }
    func size(of group: Int) -> Int { Int(ends[group]) - (group > 0 ? Int(ends[group - 1]) : 0) }

    func group(of position: Int) -> Int {
        var (low, high) = (0, groups.count)
        while low < high {
            let middle = (low + high) / 2
            if groups[middle] < hashes[position] { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Chooses a few examples that stand for all.
package enum BalancedSample {
    /// At most `limit` positions, spread evenly over sources and, within each, over lengths.
    ///
    /// The examples are laid in order of source and length, and every n-th is taken from a seeded start; the result
    /// keeps the order of the examples.
    package static func positions(of examples: any ExampleSource, limit: Int, seed: UInt64) -> [Int] {
        guard examples.count > limit, limit > 0 else { return limit > 0 ? Array(0..<examples.count) : [] }
        let laidOut = (0..<examples.count).map { (examples.source(at: $0) ?? "", examples.lengths(at: $0).ids, $0) }
            .sorted { $0 < $1 }
        var generator = SplitMix64(seed: seed, stream: 0x5A4D_504C)
        let start = Double(generator.below(1 << 20)) / Double(1 << 20)
        let stride = Double(examples.count) / Double(limit)
        return (0..<limit).map { laidOut[Int((Double($0) + start) * stride)].2 }.sorted()
    }
}
