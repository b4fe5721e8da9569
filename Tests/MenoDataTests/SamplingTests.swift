import MenoTesting
import Testing

@testable import MenoData

@Suite struct SamplingTests {
    @Test func aPermutationHasEveryNumberOnceAndFollowsItsSeed() {
        let order = Permutation.make(count: 1000, seed: 42)
        #expect(order.sorted() == Array(0..<1000))
        #expect(order != Array(0..<1000))
        #expect(order == Permutation.make(count: 1000, seed: 42))
        #expect(order != Permutation.make(count: 1000, seed: 43))
        #expect(order != Permutation.make(count: 1000, seed: 42, stream: 1))
    }

    @Test func aPermutationIsUniform() {
        var counts = Array(repeating: Array(repeating: 0, count: 5), count: 5)
        for seed in 0..<20_000 {
            for (place, value) in Permutation.make(count: 5, seed: UInt64(seed)).enumerated() {
                counts[place][value] += 1
            }
        }
        // Five standard deviations around 4,000.
        #expect(counts.joined().allSatisfy { abs($0 - 4000) < 283 })
    }

    @Test func aSplitCutsWhereTheNotebookDoes() {
        let split = Split(count: 11, trainFraction: 0.8, seed: 1)
        #expect(split.training.count == 8 && split.heldOut.count == 3)
        #expect((split.training + split.heldOut).sorted() == Array(0..<11))
        let inOrder = Split(count: 3, trainFraction: 1, seed: 1, shuffles: false)
        #expect(inOrder.training == [0, 1, 2] && inOrder.heldOut.isEmpty)
    }

    private func example(_ id: Int32) -> Example {
        Example(ids: [1, id], labels: [Example.ignoredLabel, id], isCompletion: [false, true], place: "\(id)")
    }

    @Test(arguments: [true, false]) func withoutRepetitionsTheSplitIsThatOfThePermutation(_ shuffles: Bool) {
        for (count, fraction) in [(1, 0.8), (11, 0.8), (40, 0.5), (40, 1), (40, 0)] {
            let examples = (0..<count).map { example(Int32($0)) }
            let split = Split(examples, trainFraction: fraction, seed: 42, shuffles: shuffles)
            #expect(split == Split(count: count, trainFraction: fraction, seed: 42, shuffles: shuffles))
        }
    }

    @Test(arguments: 0..<20) func equalExamplesStayOnOneSide(_ seed: UInt64) {
        let examples = (0..<200).map { example(Int32($0 % 80)) }
        let split = Split(examples, trainFraction: 0.8, seed: seed)
        #expect((split.training + split.heldOut).sorted() == Array(0..<200))
        let keys = { (positions: [Int]) in Set(positions.map { examples[$0].contentHash }) }
        #expect(keys(split.training).isDisjoint(with: keys(split.heldOut)))
        // The share is kept, but for the last group.
        #expect((160..<163).contains(split.training.count))
        // Within each side the order is that of the permutation.
        let order = Permutation.make(count: 200, seed: seed)
        #expect(order.filter(Set(split.training).contains) == split.training)
        let inOrder = Split(examples, trainFraction: 0.8, seed: seed, shuffles: false)
        #expect(inOrder.training == inOrder.training.sorted() && inOrder.heldOut.count > 35)
    }

    @Test func examplesThatAreAllEqualAreTrainedOn() {
        let split = Split((0..<10).map { _ in example(7) }, trainFraction: 0.8, seed: 1)
        #expect(split.training.count == 10 && split.heldOut.isEmpty)
        #expect(Split((0..<10).map { _ in example(7) }, trainFraction: 0, seed: 1).training.isEmpty)
    }

    @Test func aSampleIsBalancedOverSourcesAndLengths() {
        let examples = (0..<400).map { index in
            let length = 2 + index % 100
            return Example(
                ids: Array(repeating: 1, count: length), labels: Array(repeating: 1, count: length),
                isCompletion: Array(repeating: false, count: length), place: "\(index)",
                source: index < 300 ? "many" : "few")
        }
        let chosen = BalancedSample.positions(of: examples, limit: 40, seed: 7)
        #expect(Set(chosen).count == 40 && chosen == chosen.sorted())
        #expect(chosen.count { examples[$0].source == "few" } == 10)
        let mean = chosen.reduce(0.0) { $0 + Double(examples[$1].ids.count) } / 40
        #expect(abs(mean - 51.5) < 3)
        #expect(chosen == BalancedSample.positions(of: examples, limit: 40, seed: 7))
        #expect(BalancedSample.positions(of: examples, limit: 400, seed: 7) == Array(0..<400))
        #expect(BalancedSample.positions(of: examples, limit: 0, seed: 7).isEmpty)
    }

    @Test func stepsAreCountedAsTransformersCountsThem() {
        // 37 examples in steps of 16: two full steps and one of 5.
        let batches = BatchSchedule(exampleCount: 37, examplesPerStep: 16, seed: 5, shuffles: true)
        #expect(batches.stepsPerEpoch == 3)
        #expect(batches.steps(epochs: 2.5) == 8)
        #expect((0..<3).map { batches.examples(ofStep: $0).count } == [16, 16, 5])
        #expect((0..<3).flatMap { batches.examples(ofStep: $0) }.sorted() == Array(0..<37))
        #expect(batches.examples(ofStep: 3) != batches.examples(ofStep: 0))
        let inOrder = BatchSchedule(exampleCount: 5, examplesPerStep: 2, seed: 5, shuffles: false)
        #expect((0..<4).map { inOrder.examples(ofStep: $0) } == [[0, 1], [2, 3], [4], [0, 1]])
    }
}
