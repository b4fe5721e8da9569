import MenoTokenizers
import Testing

@testable import MenoData

@Suite struct BlockBuilderTests {
    private static let bos: TokenID = 1
    private static let eos: TokenID = 2

    /// Documents with BOS and EOS, of the lengths given.
    private func documents(_ lengths: [Int]) -> [Example] {
        var next: TokenID = 10
        return lengths.enumerated().map { number, length in
            let ids = [Self.bos] + (0..<length).map { next + TokenID($0) } + [Self.eos]
            next += TokenID(length)
            return Example(
                ids: ids, labels: [Example.ignoredLabel] + ids.dropFirst(), isCompletion: ids.map { _ in true },
                place: "line \(number + 1)")
        }
    }

    private func blocks(_ documents: [Example], length: Int, overlap: Int) -> [Example] {
        var builder = BlockBuilder(length: length, overlap: overlap, bosID: Self.bos)
        return documents.flatMap { builder.blocks(with: $0) } + (builder.last().map { [$0] } ?? [])
    }

    @Test(arguments: [0, 1, 3], [[5], [30], [1, 2, 3, 4], [8, 8, 8], [100, 1, 1, 50], [6, 6, 6, 6, 6]])
    func nothingIsLostAndNothingLearntTwice(_ overlap: Int, _ lengths: [Int]) {
        let documents = documents(lengths)
        let all = documents.flatMap(\.ids)
        let blocks = blocks(documents, length: 8, overlap: overlap)
        #expect(blocks.dropLast().allSatisfy { $0.ids.count == 8 })
        // Without what is repeated, the blocks are the documents one behind the other.
        #expect(blocks[0].ids + blocks.dropFirst().flatMap { $0.ids.dropFirst(overlap) } == all)
        for (block, next) in zip(blocks, blocks.dropFirst()) {
            #expect(block.ids.suffix(overlap) == next.ids.prefix(overlap))
        }
        let learnt = blocks.flatMap { block in block.labels.dropFirst().filter { $0 != Example.ignoredLabel } }
        if overlap > 0 {
            // Everything but BOS.
            #expect(learnt == all.filter { $0 != Self.bos })
        } else {
            #expect(learnt.count >= all.count { $0 != Self.bos } - blocks.count)
        }
    }

    @Test func aBlockTellsWhereItComesFrom() {
        let blocks = blocks(documents([3, 3, 20]), length: 10, overlap: 0)
        #expect(
            blocks.map(\.place) == ["line 1 to line 2", "line 3", "line 3", "line 3"].prefix(blocks.count).map { $0 })
    }

    @Test func whatIsLeftCanBeTakenUpElsewhere() {
        let documents = documents([30, 7, 12, 9])
        let expected = blocks(documents, length: 8, overlap: 2)
        var first = BlockBuilder(length: 8, overlap: 2, bosID: Self.bos)
        var found = documents.prefix(2).flatMap { first.blocks(with: $0) }
        var second = BlockBuilder(length: 8, overlap: 2, bosID: Self.bos)
        second.resume(first.rest)
        found += documents.dropFirst(2).flatMap { second.blocks(with: $0) } + (second.last().map { [$0] } ?? [])
        #expect(found == expected)
    }
}

@Suite struct BestFitPackingTests {
    @Test(arguments: 0..<5) func everyExampleIsInOneGroupThatFits(_ seed: UInt64) {
        let order = Permutation.make(count: 500, seed: seed)
        let lengths = order.map { 1 + $0 * $0 % 120 }
        let groups = BestFitPacking.groups(lengths, capacity: 100)
        #expect(groups.joined().sorted() == Array(0..<500))
        for group in groups {
            #expect(group == group.sorted() && (group.count == 1 || group.reduce(0) { $0 + lengths[$1] } <= 100))
        }
        // Near the least that is possible.
        let long = lengths.count { $0 > 100 }
        let least = (lengths.reduce(0) { $0 + ($1 > 100 ? 0 : $1) } + 99) / 100
        #expect(groups.count - long <= least + least / 20 + 1)
        #expect(groups == BestFitPacking.groups(lengths, capacity: 100))
    }

    @Test func theSmallestRoomThatSufficesIsTaken() {
        // 6 leaves 4, 7 leaves 3: 3 goes to the 7, 4 to the 6.
        #expect(BestFitPacking.groups([6, 7, 3, 4], capacity: 10) == [[0, 3], [1, 2]])
        #expect(BestFitPacking.groups([], capacity: 10).isEmpty)
        #expect(BestFitPacking.groups([10, 20, 0], capacity: 10).count == 3)
    }

    @Test func aStepTakesPacks() {
        let lengths = (0..<50).map { 5 + $0 * 7 % 20 }
        let packs = BestFitPacking.groups(lengths, capacity: 40)
        let batches = BatchSchedule(
            exampleCount: packs.count, examplesPerStep: 2, seed: 1, shuffles: true, packs: packs)
        let steps = (0..<batches.stepsPerEpoch).map { batches.examples(ofStep: $0) }
        #expect(steps.joined().sorted() == Array(0..<50))
        #expect(steps.allSatisfy { $0.reduce(0) { $0 + lengths[$1] } <= 80 })
        #expect(batches.stepsPerEpoch == (packs.count + 1) / 2)
    }
}
