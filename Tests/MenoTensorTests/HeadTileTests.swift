import MenoTensor
import MenoTesting
import Testing

@Suite(.drawsRandomNumbers) struct HeadTileTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var dtype: DType
        var vocabulary: Int
        var softcap: Double
        var smoothing: Double
        var testDescription: String { "\(dtype), \(vocabulary) words, cap \(softcap), smoothing \(smoothing)" }
    }

    static let cases = [DType.float32, .bfloat16].flatMap { dtype in
        [7, 16, 1000, 70_001].flatMap { vocabulary in
            [(0.0, 0.0), (5.0, 0.0), (0.0, 0.1), (5.0, 0.3)].map {
                Case(dtype: dtype, vocabulary: vocabulary, softcap: $0.0, smoothing: $0.1)
            }
        }
    }

    /// Against libtorch's own operators, in float64 on the same (rounded) logits.
    @Test(arguments: cases) func equalsTheDefinition(_ test: Case) throws {
        try RandomGenerator.seed(3)
        let rows = 5
        let logits = try (Tensor.randomNormal([rows, test.vocabulary]) * 6).to(test.dtype)
        let targets = (0..<rows).map { Int64(($0 * 7919 + 3) % test.vocabulary) }
        let exact = try logits.to(.float64).detached().requiringGradient()
        let z = test.softcap > 0 ? try (exact / test.softcap).tanh() * test.softcap : exact
        let index = try Tensor(targets).unsqueezed(1)
        let chosen = try z.gathered(along: 1, at: index).squeezed(1)
        let nll =
            try z.logSumExp(along: -1)
            - (chosen * (1 - test.smoothing) + z.mean(along: [1]) * test.smoothing)
        try (nll * 0.5).sum().backward()

        let tile = try logits.cloned()
        let (ours, correct) = try run(
            tile, targets: targets, softcap: test.softcap, smoothing: test.smoothing, scale: 0.5)
        let expected = try nll.to(.float32).array(of: Float.self)
        #expect(maximumRelativeDifference(ours, expected, floor: 1e-2) < 2e-6)
        let argmax = try z.argmax(along: -1).array(of: Int64.self)
        #expect(correct == zip(argmax, targets).map { $0 == $1 ? 1 : 0 })
        let gradient = try tile.to(.float32).array(of: Float.self)
        let expectedGradient = try exact.gradient()!.to(.float32).array(of: Float.self)
        // bfloat16 keeps 8 bits of mantissa.
        #expect(relativeError(gradient, expectedGradient) < (test.dtype == .float32 ? 2e-6 : 4e-3))
    }

    @Test func largeLogitsDoNotOverflow() throws {
        let tile = try Tensor([Float(3e4), -3e4, 2.9e4], shape: [1, 3])
        let (nll, correct) = try run(tile, targets: [1])
        #expect(nll == [6e4])
        #expect(correct == [0])
        #expect(try tile.array() == [Float(1), -1, 0])
    }

    @Test func aNotANumberShows() throws {
        let tile = try Tensor([Float.nan, 1, 2], shape: [1, 3])
        #expect(try run(tile, targets: [1]).nll[0].isNaN)
    }

    @Test func aTargetOutsideTheVocabularyIsRefused() throws {
        let tile = try Tensor.ones([1, 3])
        #expect(throws: TorchError.self) { try run(tile, targets: [3]) }
        #expect(throws: TorchError.self) { try run(tile, targets: [-1]) }
    }

    private func run(_ tile: Tensor, targets: [Int64], softcap: Double = 0, smoothing: Double = 0, scale: Double = 1)
        throws
        -> (nll: [Float], correct: [UInt8])
    {
        var nll = [Float](repeating: 0, count: targets.count)
        var correct = [UInt8](repeating: 9, count: targets.count)
        try targets.withUnsafeBufferPointer { targets in
            try nll.withUnsafeMutableBufferPointer { nll in
                try correct.withUnsafeMutableBufferPointer { correct in
                    try tile.headTile_(
                        targets: targets, softcap: softcap, smoothing: smoothing, gradientScale: scale, loss: nll,
                        correct: correct)
                }
            }
        }
        return (nll, correct)
    }
}
