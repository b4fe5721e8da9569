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

    static let types = [DType.float32, .bfloat16]
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
        guard problem.states.hasVocabularyLoss(problem.matrix, threshold: test.threshold, gradient: true) else {
            return
        }
        let result = try problem.solve(threshold: test.threshold)
        let (losses, correct, gradient) = try problem.definition()
        // Logits in bfloat16 have 8 bits: with values to 20, a few hundredths.
        let rough = test.states == .bfloat16 && !Torch.hasTileProducts
        #expect(maximumRelativeDifference(result.losses, losses, floor: 1) < (rough ? 3e-2 : 2e-6))
        if !rough { #expect(result.isCorrect == correct) }
        let error = relativeError(try result.gradient!.to(.float32).array(of: Float.self), gradient)
        #expect(error < (rough ? 2e-2 : test.states == .bfloat16 ? 4e-3 : test.threshold > 0 ? 2e-5 : 2e-6))
    }

    /// Chunks of which nearly every entry counts beside chunks of which few do: the two are summed in different ways.
    @Test(arguments: types) func unevenChunks(_ type: DType) throws {
        let problem = try Problem(
            Case(states: type, table: type, vocabulary: 3000, softcap: 0, threshold: 0), uneven: true)
        guard problem.states.hasVocabularyLoss(problem.matrix, threshold: 1e-5, gradient: true) else { return }
        let rough = type == .bfloat16 && !Torch.hasTileProducts
        let (gradient, exact) = try (problem.solve(threshold: 1e-5).gradient!, problem.definition().gradient)
        let error = relativeError(try gradient.to(.float32).array(of: Float.self), exact)
        #expect(error < (rough ? 2e-2 : type == .bfloat16 ? 4e-3 : 2e-3))
    }

    /// What is not taken one by one is not dropped: with everything below the threshold, the centroids remain.
    @Test(arguments: types) func theRestIsTakenAtTheCentroids(_ type: DType) throws {
        let problem = try Problem(
            Case(states: type, table: type, vocabulary: 2000, softcap: 0, threshold: 0), spread: 0.01)
        guard problem.states.hasVocabularyLoss(problem.matrix, threshold: 0.1, gradient: true) else { return }
        let rough = try problem.solve(threshold: 0.5).gradient!.to(.float32).array(of: Float.self)
        let exact = try problem.definition().gradient
        // Without the rest, the gradient would be −W[target] alone.
        let chosen = try problem.table.indexed(by: Tensor(problem.targets), along: 0).to(.float32) * -1
        #expect(relativeError(rough, exact) < 0.1 * relativeError(try chosen.array(of: Float.self), exact))
    }

    @Test(arguments: types) func lossesAloneAreTheSame(_ type: DType) throws {
        let problem = try Problem(Case(states: type, table: type, vocabulary: 900, softcap: 0, threshold: 0))
        guard problem.states.hasVocabularyLoss(problem.matrix, threshold: 0, gradient: false) else { return }
        let alone = try problem.states.vocabularyLoss(
            problem.matrix, targets: problem.targets, softcap: 0, threshold: 0, centroids: nil, gradient: false)
        #expect(alone.gradient == nil)
        let expected = try problem.definition().losses
        let rough = type == .bfloat16 && !Torch.hasTileProducts
        #expect(maximumRelativeDifference(alone.losses, expected, floor: 1) < (rough ? 3e-2 : 2e-6))
    }

    /// A later logit, of the same chunk and of another, is larger than exp can tell from the first ones.
    @Test(arguments: types, [40, 1100]) func aMuchLargerLogitLaterOnIsTakenUp(_ type: DType, _ largest: Int) throws {
        let hidden = 32
        var values = [Float](repeating: 0, count: 1200 * hidden)
        values[3 * hidden] = -200
        values[largest * hidden] = 300
        let table = try FrozenMatrix(Tensor(values, shape: [1200, hidden]).to(type))
        let states = try Tensor([Float(1)] + [Float](repeating: 0, count: hidden - 1), shape: [1, hidden]).to(type)
        guard states.hasVocabularyLoss(table, threshold: 1e-6, gradient: true) else { return }
        let result = try states.vocabularyLoss(
            table, targets: [3], softcap: 0, threshold: 1e-6, centroids: table.vocabularyCentroids(), gradient: true)
        #expect(result.losses == [500])
        let gradient = try result.gradient!.to(.float32).array(of: Float.self)
        #expect(gradient == [500] + [Float](repeating: 0, count: hidden - 1))
    }

    @Test func aNotANumberShows() throws {
        let table = try FrozenMatrix(Tensor([Float(1), .nan, 2], shape: [3, 1]))
        let states = try Tensor([Float(1)], shape: [1, 1])
        guard states.hasVocabularyLoss(table, threshold: 0, gradient: false) else { return }
        let result = try states.vocabularyLoss(
            table, targets: [0], softcap: 0, threshold: 0, centroids: nil, gradient: false)
        #expect(result.losses[0].isNaN)
    }

    @Test func aTargetOutsideTheVocabularyIsRefused() throws {
        let (states, table) = try (Tensor.ones([1, 4]), FrozenMatrix(Tensor.ones([3, 4])))
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
        var matrix: FrozenMatrix { FrozenMatrix(table) }

        /// `uneven`: the logits of the words from 600 on are smaller by 9.
        init(_ test: Case, spread: Double = 0.5, rows: Int = 130, uneven: Bool = false) throws {
            try RandomGenerator.seed(11)
            let hidden = test.states == .bfloat16 ? 96 : 70
            var state = try Tensor.randomNormal([rows, hidden])
            var words = try Tensor.randomNormal([test.vocabulary, hidden]) * spread + 0.02
            if uneven {
                let after = (0..<test.vocabulary).map { Float($0 < 600 ? 0 : -9) }
                let rest = hidden - 1
                state = try .concatenated([.ones([rows, 1]), state.narrowed(1, start: 1, count: rest)], along: 1)
                words = try .concatenated(
                    [Tensor(after, shape: [test.vocabulary, 1]), words.narrowed(1, start: 1, count: rest)], along: 1)
            }
            states = try state.to(test.states)
            table = try words.to(test.table)
            targets = (0..<rows).map { Int64(($0 * 7919 + 3) % test.vocabulary) }
            softcap = test.softcap
        }

        func solve(threshold: Double) throws -> VocabularyLoss {
            try states.vocabularyLoss(
                matrix, targets: targets, softcap: softcap, threshold: threshold,
                centroids: threshold > 0 ? matrix.vocabularyCentroids() : nil, gradient: true)
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
