import MenoTensor
import MenoTesting
import Testing

@Suite(.drawsRandomNumbers) struct VocabularyLossTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var states: DType
        var table: DType
        var vocabulary: Int
        var softcap: Double
        var threshold: Double
        var testDescription: String {
            "\(states) on \(table), \(vocabulary) words, cap \(softcap), threshold \(threshold)"
        }
    }

    static let cases: [Case] = [(DType.float32, DType.float32), (.float32, .bfloat16), (.bfloat16, .bfloat16)].flatMap {
        types in
        [5, 512, 1300, 5000].flatMap { vocabulary in
            [(0.0, 0.0), (0.0, 1e-7), (7.0, 0.0), (7.0, 1e-7)].map {
                Case(states: types.0, table: types.1, vocabulary: vocabulary, softcap: $0.0, threshold: $0.1)
            }
        }
    }

    /// Against the definition in float64, with and without the entries below the threshold.
    @Test(arguments: cases) func equalsTheDefinition(_ test: Case) throws {
        let problem = try Problem(test)
        guard problem.states.hasVocabularyLoss(problem.table, threshold: test.threshold, gradient: true) else { return }
        let result = try problem.solve(threshold: test.threshold)
        let (losses, correct, gradient) = try problem.definition()
        // Logits in bfloat16 have 8 bits: with values to 20, a few hundredths.
        let rough = test.states == .bfloat16 && !Torch.hasTileProducts
        #expect(maximumRelativeDifference(result.losses, losses, floor: 1) < (rough ? 3e-2 : 2e-6))
        if !rough { #expect(result.isCorrect == correct) }
        let error = relativeError(try result.gradient!.to(.float32).array(of: Float.self), gradient)
        #expect(error < (rough ? 2e-2 : test.states == .bfloat16 ? 4e-3 : test.threshold > 0 ? 2e-5 : 2e-6))
    }

    /// What is not taken one by one is not dropped: with everything below the threshold, the centroids remain.
    @Test func theRestIsTakenAtTheCentroids() throws {
        let problem = try Problem(
            Case(states: .float32, table: .float32, vocabulary: 2000, softcap: 0, threshold: 0), spread: 0.01)
        guard problem.states.hasVocabularyLoss(problem.table, threshold: 0.1, gradient: true) else { return }
        let rough = try problem.solve(threshold: 0.5).gradient!.array(of: Float.self)
        let exact = try problem.definition().gradient
        // Without the rest, the gradient would be −W[target] alone.
        let chosen = try problem.table.indexed(by: Tensor(problem.targets), along: 0) * -1
        #expect(relativeError(rough, exact) < 0.1 * relativeError(try chosen.array(of: Float.self), exact))
    }

    @Test func lossesAloneAreTheSame() throws {
        let problem = try Problem(Case(states: .float32, table: .float32, vocabulary: 900, softcap: 0, threshold: 0))
        guard problem.states.hasVocabularyLoss(problem.table, threshold: 0, gradient: false) else { return }
        let alone = try problem.states.vocabularyLoss(
            problem.table, targets: problem.targets, softcap: 0, threshold: 0, centroids: nil, gradient: false)
        #expect(alone.gradient == nil)
        let expected = try problem.definition().losses
        #expect(maximumRelativeDifference(alone.losses, expected, floor: 1) < 2e-6)
    }

    /// A later chunk's logit is larger than exp can tell from the first ones.
    @Test func aMuchLargerLogitLaterOnIsTakenUp() throws {
        var values = [Float](repeating: 0, count: 1200)
        values[3] = -200
        values[1100] = 300
        let table = try Tensor(values, shape: [1200, 1])
        let states = try Tensor([Float(1)], shape: [1, 1])
        guard states.hasVocabularyLoss(table, threshold: 1e-6, gradient: true) else { return }
        let result = try states.vocabularyLoss(
            table, targets: [3], softcap: 0, threshold: 1e-6, centroids: table.vocabularyCentroids(), gradient: true)
        #expect(result.losses == [500])
        #expect(try result.gradient!.array(of: Float.self) == [500])
    }

    @Test func aNotANumberShows() throws {
        let table = try Tensor([Float(1), .nan, 2], shape: [3, 1])
        let states = try Tensor([Float(1)], shape: [1, 1])
        guard states.hasVocabularyLoss(table, threshold: 0, gradient: false) else { return }
        let result = try states.vocabularyLoss(
            table, targets: [0], softcap: 0, threshold: 0, centroids: nil, gradient: false)
        #expect(result.losses[0].isNaN)
    }

    @Test func aTargetOutsideTheVocabularyIsRefused() throws {
        let (states, table) = try (Tensor.ones([1, 4]), Tensor.ones([3, 4]))
        for target in [Int64(3), -1] {
            #expect(throws: TorchError.self) {
                try states.vocabularyLoss(
                    table, targets: [target], softcap: 0, threshold: 0, centroids: nil, gradient: false)
            }
        }
    }

    /// States and a table whose logits spread like a trained model's.
    private struct Problem {
        let states: Tensor
        let table: Tensor
        let targets: [Int64]
        let softcap: Double

        init(_ test: Case, spread: Double = 0.5, rows: Int = 130) throws {
            try RandomGenerator.seed(11)
            let hidden = test.states == .bfloat16 ? 96 : 70
            states = try Tensor.randomNormal([rows, hidden]).to(test.states)
            table = try (Tensor.randomNormal([test.vocabulary, hidden]) * spread + 0.02).to(test.table)
            targets = (0..<rows).map { Int64(($0 * 7919 + 3) % test.vocabulary) }
            softcap = test.softcap
        }

        func solve(threshold: Double) throws -> VocabularyLoss {
            try states.vocabularyLoss(
                table, targets: targets, softcap: softcap, threshold: threshold,
                centroids: threshold > 0 ? table.vocabularyCentroids() : nil, gradient: true)
        }

        func definition() throws -> (losses: [Float], correct: [Bool], gradient: [Float]) {
            let leaf = try states.to(.float64).detached().requiringGradient()
            var z = try leaf.matmul(table.to(.float64).transposed())
            if softcap > 0 { z = try (z / softcap).tanh() * softcap }
            let chosen = try z.gathered(along: 1, at: Tensor(targets).unsqueezed(1)).squeezed(1)
            let losses = try z.logSumExp(along: -1) - chosen
            try losses.sum().backward()
            let argmax = try z.detached().argmax(along: -1).array(of: Int64.self)
            return (
                try losses.detached().to(.float32).array(of: Float.self), zip(argmax, targets).map { $0 == $1 },
                try leaf.gradient()!.to(.float32).array(of: Float.self)
            )
        }
    }
}
