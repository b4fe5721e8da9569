import MenoTensor
import MenoTesting
import Testing

private let hasAdaptedLinear = (try? Tensor.ones([1, 1])).map { $0.hasAdaptedLinear(FrozenMatrix($0)) } ?? false

/// A frozen layer with its adapter in one node, against the definition in float64.
@Suite(.drawsRandomNumbers, .enabled(if: hasAdaptedLinear, "this processor does not take such nodes"))
struct AdaptedLinearTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var activations = DType.float32
        var weights: DType
        var rows: Int
        var inFeatures: Int
        var outFeatures: Int
        var rank: Int
        var dropout: Double
        var testDescription: String {
            "[\(rows), \(inFeatures)] in \(activations) · [\(outFeatures), \(inFeatures)]ᵀ in \(weights), "
                + "rank \(rank), dropout \(dropout)"
        }
    }

    static let cases = [0.0, 0.3].flatMap { dropout in
        // Unequal types are for this project's own products only.
        [(DType.float32, DType.float32), (.float32, .bfloat16), (.bfloat16, .bfloat16)]
            .filter { $0 == $1 || Torch.hasOwnProducts }
            .flatMap { activations, weights in
                [
                    (1, 40, 33, 8), (4, 7, 5, 1), (97, 700, 17, 8), (200, 24, 1100, 16), (301, 130, 530, 21),
                    (600, 1056, 544, 8), (600, 2336, 96, 8), (600, 96, 2336, 8),
                ].map {
                    Case(
                        activations: activations, weights: weights, rows: $0.0, inFeatures: $0.1, outFeatures: $0.2,
                        rank: $0.3, dropout: dropout)
                }
            }
    }

    @Test(arguments: cases) func equalsTheDefinition(_ test: Case) throws {
        try RandomGenerator.seed(5)
        let problem = try Problem(test)
        let output = try problem.output()
        let slope = try Tensor.randomNormal(output.shape).to(test.activations)
        try output.backward(gradient: slope)

        let exact = try problem.definition(mask: problem.mask())
        try exact.output.backward(gradient: slope.to(.float64))
        func error(_ tensor: Tensor?, _ expected: Tensor?) throws -> Double {
            relativeError(
                try #require(tensor).detached().to(.float32).array(of: Float.self),
                try #require(expected).detached().to(.float32).array(of: Float.self))
        }
        // Rounding a result to bfloat16, once as a product and once with the adapter's part, is an error of 2⁻⁹ at most each.
        let rounded = test.activations == .bfloat16 ? 4e-3 : 0
        #expect(try error(output, exact.output) < 2e-6 + rounded)
        #expect(try error(problem.input.gradient(), exact.leaves[0].gradient()) < 3e-6 + rounded)
        for (leaf, reference) in zip([problem.down, problem.up], exact.leaves.dropFirst()) {
            #expect(try error(leaf.gradient(), reference.gradient()) < 3e-6)
        }
        #expect(try problem.weight.gradient() == nil)
    }

    @Test func theMaskDropsAsManyAsItShould() throws {
        let problem = try Problem(
            Case(weights: .float32, rows: 500, inFeatures: 700, outFeatures: 2, rank: 1, dropout: 0.1))
        let masks = try [problem.mask(), problem.mask(keys: RowKeys(key: 9, numbers: Array(0..<500), device: .cpu))]
        let kept = try masks.map { try ($0 * 0.9).array(of: Double.self) }
        let count = Double(kept[0].count)
        for mask in kept {
            #expect(mask.allSatisfy { $0 == 0 || abs($0 - 1) < 1e-6 })
            // Six standard deviations of a binomial distribution.
            #expect(abs(mask.reduce(0, +) / count - 0.9) < 6 * (0.09 / count).squareRoot())
        }
        // Neighbours in a row, rows below each other and two uses of the layer have nothing to do with each other.
        func correlation(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Double {
            zip(a, b).reduce(0) { $0 + ($1.0 - 0.9) * ($1.1 - 0.9) } / 0.09 / Double(a.count)
        }
        let bound = 6 / count.squareRoot()
        #expect(abs(correlation(kept[0].dropLast(), kept[0].dropFirst())) < bound)
        #expect(abs(correlation(kept[0].dropLast(700), kept[0].dropFirst(700))) < bound)
        #expect(abs(correlation(kept[0][...], kept[1][...])) < bound)
    }

    @Test func aLayerThatEverythingIsDroppedFromIsTheFrozenOne() throws {
        let problem = try Problem(
            Case(weights: .float32, rows: 30, inFeatures: 20, outFeatures: 10, rank: 2, dropout: 1))
        let output = try problem.output()
        #expect(
            try output.detached().array(of: Float.self)
                == problem.input.detached().frozenLinear(FrozenMatrix(problem.weight)).array(of: Float.self))
        try output.backward(gradient: Tensor.ones([30, 10]))
        #expect(try problem.up.gradient()!.array(of: Float.self).allSatisfy { $0 == 0 })
    }

    /// At the beginning of a run an adapter changes a result by less than bfloat16 can show. Where the change is added to a
    /// result that is rounded already, all of it is lost; added before, it decides where results are rounded to, and arrives on
    /// average.
    @Test(.enabled(if: ProductKind.current != .library, "libtorch's products round before the change is added"))
    func aChangeBelowTheRoundingArrives() throws {
        try RandomGenerator.seed(3)
        let input = try Tensor.randomNormal([256, 96]).to(Torch.widensFrozenWeights ? .float32 : .bfloat16)
        let weight = FrozenMatrix(try Tensor.randomNormal([512, 96]).to(.bfloat16))
        let (down, up) = (try Tensor.randomNormal([8, 96]), try Tensor.randomNormal([512, 8]))
        // Results are about 10, where bfloat16 numbers are 1/16 apart; changes are about 0.008.
        let scaling = 3e-4
        let change = try input.to(.float32).linear(down, bias: nil).linear(up, bias: nil) * scaling
        let plain = try input.frozenLinear(weight)
        let adapted = try input.adaptedLinear(weight, down: down, up: up, scaling: scaling)
        let seen = try adapted.to(.bfloat16).to(.float32) - plain.to(.bfloat16).to(.float32)
        let expected = try (change * change).sum().array(of: Float.self)[0]
        let slope = try (seen * change).sum().array(of: Float.self)[0] / expected
        #expect(abs(slope - 1) < 0.05, "\(slope) of the change arrives")
    }

    @Test func threadsChangeNothing() throws {
        let problem = try Problem(
            Case(
                weights: Torch.hasOwnProducts ? .bfloat16 : .float32, rows: 400, inFeatures: 90, outFeatures: 600,
                rank: 8, dropout: 0.2))
        func values() throws -> [[Float]] {
            let leaves = [problem.input, problem.down, problem.up]
            for leaf in leaves { try leaf.setGradient(nil) }
            let output = try problem.output()
            try output.backward(gradient: Tensor.ones(output.shape))
            return try [output.detached().array()] + leaves.map { try $0.gradient()!.array() }
        }
        let several = try values()
        let threads = Torch.threadCount
        Torch.threadCount = 1
        defer { Torch.threadCount = threads }
        #expect(try values() == several)
    }

    @Test func anInputThatNeedsNoGradientGetsNone() throws {
        let problem = try Problem(
            Case(weights: .float32, rows: 3, inFeatures: 4, outFeatures: 5, rank: 2, dropout: 0), followsInput: false)
        try problem.output().backward(gradient: Tensor.ones([3, 5]))
        #expect(try problem.input.gradient() == nil && problem.down.gradient() != nil)
    }

    @Test func anAdapterOfAnotherLayerIsRefused() throws {
        let input = try Tensor.ones([3, 4])
        let weight = try Tensor.ones([5, 4])
        for (down, up) in [([2, 3], [5, 2]), ([2, 4], [6, 2]), ([2, 4], [5, 3])] {
            #expect(throws: TorchError.self) {
                try input.adaptedLinear(FrozenMatrix(weight), down: Tensor.ones(down), up: Tensor.ones(up), scaling: 1)
            }
        }
    }

    @Test func dropoutNeedsANumberForEachRow() throws {
        let problem = try Problem(
            Case(weights: .float32, rows: 3, inFeatures: 4, outFeatures: 5, rank: 2, dropout: 0.5))
        for count in [2, 4] {
            let keys = try RowKeys(key: 1, numbers: Array(0..<Int64(count)), device: .cpu)
            #expect(throws: TorchError.self) { try problem.output(keys: keys) }
            #expect(throws: TorchError.self) { try problem.input.dropout(0.5, keys) }
        }
    }

    private struct Problem {
        let test: Case
        let input: Tensor
        let weight: Tensor
        let down: Tensor
        let up: Tensor
        let keys: RowKeys

        init(_ test: Case, followsInput: Bool = true) throws {
            self.test = test
            keys = try RowKeys(key: 8, numbers: (0..<Int64(test.rows)).map { $0 << 32 | 7 }, device: .cpu)
            weight = try Tensor.randomNormal([test.outFeatures, test.inFeatures]).to(test.weights)
            input = try Tensor.randomNormal([test.rows, test.inFeatures]).to(test.activations)
                .requiringGradient(followsInput)
            down = try Tensor.randomNormal([test.rank, test.inFeatures]).requiringGradient()
            up = try Tensor.randomNormal([test.outFeatures, test.rank]).requiringGradient()
        }

        func output(keys: RowKeys? = nil) throws -> Tensor {
            try input.adaptedLinear(
                FrozenMatrix(weight), down: down, up: up, scaling: 1.5,
                dropout: test.dropout > 0 ? (test.dropout, keys ?? self.keys) : nil)
        }

        /// What the input's elements are multiplied with, float64: seen by an adapter that passes each of them through.
        func mask(keys: RowKeys? = nil) throws -> Tensor {
            guard test.dropout > 0 else { return try Tensor.ones([test.rows, test.inFeatures]).to(.float64) }
            let n = test.inFeatures
            let identity =
                try Tensor.range(n).unsqueezed(0).isLessOrEqual(Tensor.range(n).unsqueezed(1)).to(.float32)
                - Tensor.range(n).unsqueezed(0).isLess(than: Tensor.range(n).unsqueezed(1)).to(.float32)
            return try Tensor.ones([test.rows, n]).adaptedLinear(
                FrozenMatrix(Tensor.zeros([n, n])), down: identity, up: identity, scaling: 1,
                dropout: (test.dropout, keys ?? self.keys)
            ).to(.float64)
        }

        func definition(mask: Tensor) throws -> (output: Tensor, leaves: [Tensor]) {
            let leaves = try [input, down, up].map { try $0.detached().to(.float64).requiringGradient() }
            let change = try (leaves[0] * mask).linear(leaves[1]).linear(leaves[2]) * 1.5
            return (try leaves[0].linear(weight.to(.float64)) + change, leaves)
        }
    }
}
