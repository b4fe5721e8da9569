import MenoTensor
import MenoTesting
import Testing

/// Products with frozen weights, by this project's kernels where the processor takes them and by libtorch's elsewhere.
@Suite(.drawsRandomNumbers) struct FrozenLinearTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var weights: DType
        var rows: Int
        var inFeatures: Int
        var outFeatures: Int
        var testDescription: String { "[\(rows), \(inFeatures)] · [\(outFeatures), \(inFeatures)]ᵀ, \(weights)" }
    }

    /// Few and many rows, panels that are full and that are not, sums longer than one pass, chunks of columns.
    static let cases = [DType.float32, .bfloat16].flatMap { weights in
        [(1, 640, 33), (4, 7, 5), (5, 64, 48), (97, 1300, 17), (200, 24, 1100), (301, 130, 530), (13, 1, 1)].map {
            Case(weights: weights, rows: $0.0, inFeatures: $0.1, outFeatures: $0.2)
        }
    }

    @Test(arguments: cases) func equalsTheDefinition(_ test: Case) throws {
        try RandomGenerator.seed(5)
        let weight = try Tensor.randomNormal([test.outFeatures, test.inFeatures]).to(test.weights)
        let bias = try Tensor.randomNormal([test.outFeatures])
        let input = try Tensor.randomNormal([test.rows, test.inFeatures]).requiringGradient()
        let slope = try Tensor.randomNormal([test.rows, test.outFeatures])
        let output = try input.frozenLinear(FrozenMatrix(weight), bias: bias)
        try output.backward(gradient: slope)

        let exact = try weight.to(.float64)
        let expected = try input.detached().to(.float64).linear(exact, bias: bias.to(.float64))
        let expectedGradient = try slope.to(.float64).matmul(exact)
        #expect(output.shape == expected.shape)
        #expect(
            relativeError(try output.detached().array(of: Float.self), try expected.to(.float32).array(of: Float.self))
                < 1e-6)
        #expect(
            relativeError(
                try input.gradient()!.array(of: Float.self), try expectedGradient.to(.float32).array(of: Float.self))
                < 1e-6)
        #expect(try weight.gradient() == nil)
    }

    /// In bfloat16 rows are computed beyond those that are asked for: of other tensors, where the storage goes on, and back
    /// in it. None of it shows.
    @Test(arguments: [1, 5, 63, 64, 130], [(24, 40), (96, 160), (2304, 288), (288, 2304)])
    func rowsBetweenDoNotShow(_ rows: Int, size: (Int, Int)) throws {
        try RandomGenerator.seed(11)
        let (inputs, outputs) = size
        let weight = try Tensor.randomNormal([outputs, inputs]).to(.bfloat16)
        let all = try Tensor.randomNormal([200, inputs]).to(.bfloat16)
        let exact = try all.to(.float64).linear(weight.to(.float64)).to(.float32)
        let whole = try Tensor(all.to(.float32).array(of: Float.self), shape: [200, inputs]).to(.bfloat16)
        for start in [0, 17, 200 - rows] {
            let input = try all.narrowed(0, start: start, count: rows).requiringGradient()
            let output = try input.frozenLinear(FrozenMatrix(weight))
            let again = try output.detached().frozenLinear(FrozenMatrix(weight.transposed().contiguous()))
            try output.backward(gradient: Tensor.ones([rows, outputs]).to(.bfloat16))
            #expect(output.shape == [rows, outputs] && again.shape == [rows, inputs])
            let expected = try exact.narrowed(0, start: start, count: rows).array(of: Float.self)
            #expect(relativeError(try output.detached().to(.float32).array(of: Float.self), expected) < 4e-3)
            let sums = try weight.to(.float32).sum(along: [0]).array(of: Float.self)
            #expect(
                relativeError(
                    try input.gradient()!.to(.float32).array(of: Float.self),
                    (0..<rows).flatMap { _ in sums }) < 4e-3)
        }
        #expect(try all.to(.float32).array(of: Float.self) == whole.to(.float32).array(of: Float.self))
    }

    @Test(arguments: [DType.float32, .bfloat16]) func leadingDimensionsStay(_ dtype: DType) throws {
        try RandomGenerator.seed(12)
        let weight = try Tensor.randomNormal([9, 6]).to(dtype)
        let input = try Tensor.randomNormal([2, 10, 6]).to(dtype)
        let output = try input.frozenLinear(FrozenMatrix(weight))
        let rows = try input.reshaped([20, 6]).frozenLinear(FrozenMatrix(weight))
        #expect(output.shape == [2, 10, 9])
        #expect(try output.to(.float32).array(of: Float.self) == rows.to(.float32).array(of: Float.self))
    }

    @Test func aRowDoesNotDependOnTheOthers() throws {
        try RandomGenerator.seed(6)
        let weight = try Tensor.randomNormal([70, 700]).to(.bfloat16)
        let input = try Tensor.randomNormal([250, 700])
        let all = try input.frozenLinear(FrozenMatrix(weight)).array(of: Float.self)
        let some = try input.narrowed(0, start: 100, count: 50).frozenLinear(FrozenMatrix(weight)).array(of: Float.self)
        #expect(Array(all[100 * 70..<150 * 70]) == some)
    }

    /// With some numbers of threads the last columns are shared out by rows, and deep products in other strips. libtorch's
    /// products in bfloat16 do not promise it.
    @Test(arguments: [(DType.float32, 80)] + (Torch.hasTileProducts ? [(.bfloat16, 96), (.bfloat16, 2304)] : []))
    func threadsChangeNothing(_ dtype: DType, depth: Int) throws {
        try RandomGenerator.seed(7)
        let weight = try Tensor.randomNormal([600, depth]).to(dtype)
        let input = try Tensor.randomNormal([300, depth]).to(dtype)
        let threads = Torch.threadCount
        defer { Torch.threadCount = threads }
        let outputs = try [1, 2, 3, 4, 7].map { count in
            Torch.threadCount = count
            return try input.frozenLinear(FrozenMatrix(weight)).to(.float32).array(of: Float.self)
        }
        #expect(outputs.dropFirst().allSatisfy { $0 == outputs[0] })
    }

    @Test func leadingDimensionsAndNoRowsAtAll() throws {
        let weight = try Tensor.ones([3, 2])
        #expect(try Tensor.ones([4, 5, 2]).frozenLinear(FrozenMatrix(weight)).shape == [4, 5, 3])
        #expect(try Tensor.ones([0, 2]).frozenLinear(FrozenMatrix(weight)).shape == [0, 3])
    }

    @Test func shapesThatDoNotMatchAreRefused() throws {
        #expect(throws: TorchError.self) { try Tensor.ones([4, 5]).frozenLinear(FrozenMatrix(Tensor.ones([3, 2]))) }
    }
}
