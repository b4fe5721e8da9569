import MenoData
import Testing

@testable import MenoTraining

@Suite struct PassPlanTests {
    private func examples(_ ids: [[Int32]]) -> [Example] {
        ids.map { Example(ids: $0, labels: $0, isCompletion: $0.map { _ in true }, place: "") }
    }

    @Test func passesAreFewAndEven() {
        let lengths = [3, 3, 3, 3, 3, 3, 3]
        let plan = PassPlan(examples(lengths.map { Array(1...Int32($0)) }), tokens: 14, sharing: false)
        #expect(plan.parts.map(\.examples) == [[0, 1, 2, 3], [4, 5, 6]])
        #expect(plan.parts.map(\.pass.layout.lengths) == [[3, 3, 3, 3], [3, 3, 3]])
        #expect(PassPlan([], tokens: 14, sharing: true).parts.isEmpty)
    }

    @Test func anExampleThatIsTooLongGoesAlone() {
        let plan = PassPlan(examples([[1, 2], Array(1...9), [3, 4]]), tokens: 5, sharing: false)
        #expect(plan.parts.map(\.examples) == [[0], [1], [2]])
    }

    /// Two sets of instructions, mixed: each is laid once.
    @Test func whatExamplesBeginWithLiesOnce() {
        let (a, b): ([Int32], [Int32]) = ([1, 2, 3, 4, 5, 6], [1, 9, 8, 7, 6, 5])
        let plan = PassPlan(
            examples([a + [10], b + [20], a + [11, 12], b + [21], a + [13]]), tokens: 10, sharing: true)
        #expect(plan.parts.map(\.examples) == [[0, 2, 4], [1, 3]])
        #expect(plan.parts.map(\.pass.inputIDs) == [[1, 2, 3, 4, 5, 6, 10, 11, 12, 13], [1, 9, 8, 7, 6, 5, 20, 21]])
        #expect(
            plan.parts.map(\.pass.layout.positions) == [[0, 1, 2, 3, 4, 5, 6, 6, 7, 6], [0, 1, 2, 3, 4, 5, 6, 6]])
        #expect(plan.parts.map(\.pass.layout.sequenceTokenCount) == [22, 14])
        #expect(plan.parts.map(\.pass.labelCount) == [19, 12])
    }

    /// One that begins differently does not cost the others what they have in common.
    @Test func instructionsThatDifferHavePassesOfTheirOwn() {
        let instructions: [[Int32]] = [Array(1...100), [1] + Array(200...298)]
        let records = (0..<6).map { number -> [Int32] in instructions[number % 2] + [Int32(500 + number)] }
        let plan = PassPlan(examples(records), tokens: 4096, sharing: true)
        #expect(plan.parts.map(\.examples) == [[0, 2, 4], [1, 3, 5]])
        #expect(plan.parts.map(\.pass.inputIDs.count) == [103, 103])
        // Where little is lost, one pass is quicker than two.
        let short = PassPlan(examples(records.map { Array($0.suffix(20)) }), tokens: 4096, sharing: true)
        #expect(short.parts.count == 1)
    }

    @Test func labelsAreCountedAsTheyArePredicted() {
        var records = examples([[1, 2, 3, 4, 5], [1, 2, 3, 6], [1, 2, 3, 7, 8, 9]])
        for index in records.indices { records[index].labels[1] = Example.ignoredLabel }
        records[2].labels[4] = Example.ignoredLabel
        for sharing in [true, false] {
            for tokens in [4, 100] {
                for pass in PassPlan(records, tokens: tokens, sharing: sharing).parts.map(\.pass) {
                    #expect(pass.labelCount == pass.layout.predictions(of: pass.labels).count)
                }
            }
        }
    }

    /// Every sequence has a token of its own, and labels that differ are not shared.
    @Test func whatDiffersIsNotShared() {
        var records = examples([[1, 2, 3], [1, 2, 3], [1, 2, 3, 4]])
        let equal = PassPlan(records, tokens: 100, sharing: true).parts
        #expect(equal.map(\.pass.layout) == [.init(lengths: [3, 1, 2], sharedPrefix: 2)])
        records[1].labels[1] = Example.ignoredLabel
        #expect(PassPlan(records, tokens: 100, sharing: true).parts.map(\.pass.layout.sharedPrefix) == [1])
        #expect(PassPlan(records, tokens: 100, sharing: false).parts.map(\.pass.layout.sharedPrefix) == [0])
    }

    /// However much they have in common, a pass stands for four times its limit at most.
    @Test func attentionStaysBounded() {
        let beginning = Array(Int32(1)...18)
        let plan = PassPlan(examples((0..<12).map { beginning + [100 + $0] }), tokens: 30, sharing: true)
        #expect(plan.parts.allSatisfy { $0.pass.layout.sequenceTokenCount <= 120 })
        #expect(plan.parts.count == 2)
    }

    /// Pairs of a prompt and two sides of some lengths, all of different tokens.
    private func pairs(prompt: Int, sides: [(Int, Int)]) -> [Example] {
        var next: Int32 = 0
        let fresh = { (count: Int) in
            (0..<count).map { _ -> Int32 in
                next += 1; return next
            }
        }
        return sides.map { chosen, rejected in
            let start = fresh(prompt)
            let ids = start + fresh(chosen)
            var example = Example(
                ids: ids, labels: ids.enumerated().map { $0 < prompt ? Example.ignoredLabel : $1 },
                isCompletion: ids.indices.map { $0 >= prompt }, place: "")
            example.preference = Preference(promptLength: prompt, rejected: start + fresh(rejected))
            return example
        }
    }

    /// Both sides of a pair are in one pass, and a long prompt lies there once; short ones are not worth a pass each.
    @Test func aPairIsNotDivided() {
        let long = PassPlan(
            pairs(prompt: 200, sides: [(10, 20), (30, 5)]), as: .pairs(learnsPrompt: false), tokens: 4096, sharing: true
        )
        #expect(long.parts.map(\.pass.layout.sharedPrefix) == [200, 200])
        #expect(long.parts.map(\.pass.inputIDs.count) == [230, 235])
        #expect(long.parts.map { $0.pass.members.map(\.role) } == [[.chosen, .rejected], [.chosen, .rejected]])
        let short = PassPlan(
            pairs(prompt: 10, sides: [(10, 20), (30, 5), (7, 7)]), as: .pairs(learnsPrompt: false), tokens: 4096,
            sharing: true)
        #expect(short.parts.map(\.examples) == [[0, 1, 2]])
        #expect(short.parts[0].pass.members.map(\.example) == [0, 0, 1, 1, 2, 2])
        // A pair that is longer than the limit goes alone.
        let narrow = PassPlan(
            pairs(prompt: 10, sides: [(10, 20), (30, 5), (7, 7)]), as: .pairs(learnsPrompt: false), tokens: 20,
            sharing: false)
        #expect(narrow.parts.map(\.examples) == [[0], [1], [2]])
    }

    /// KTO's divergence is asked of each completion beside the prompt of the next example, also where only some are divided.
    @Test func completionsAreMismatchedInACircle() {
        let examples = pairs(prompt: 3, sides: [(1, 1), (2, 2), (3, 3)])
        let all = PassPlan(examples, as: .mismatched, tokens: 4096, sharing: false)
        #expect(all.parts[0].pass.layout.lengths == [3 + 3, 3 + 1, 3 + 2])
        let some = PassPlan(examples, at: [1], as: .mismatched, tokens: 4096, sharing: false)
        #expect(some.parts.map(\.pass.inputIDs) == [Array(examples[1].ids.prefix(3) + examples[0].ids.dropFirst(3))])
    }
}
