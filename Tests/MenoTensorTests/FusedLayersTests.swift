import MenoTensor
import MenoTesting
import Testing

/// The fused layers against libtorch's own operators and autograd in float64.
@Suite(.drawsRandomNumbers) struct FusedLayersTests {
    static let types = [DType.float32, .bfloat16]
    static func tolerance(_ type: DType) -> Double { type == .float32 ? 2e-6 : 5e-3 }

    @Test(arguments: types, [(33, 7), (3, 640), (2, 3)]) func rmsNorm(_ type: DType, _ shape: (rows: Int, size: Int))
        throws
    {
        try RandomGenerator.seed(1)
        let weight = try Tensor.randomNormal([shape.size])
        try compare([[shape.rows, shape.size]], type) {
            try $0[0].rmsNorm(weight: weight, offset: 1, epsilon: 1e-6)
        } definition: { x in
            let scale = try (x[0].squared().mean(along: [-1], keepingDimensions: true) + 1e-6).rsqrt()
            return try x[0] * scale * (weight.to(.float64) + 1)
        }
    }

    @Test(arguments: types) func rotary(_ type: DType) throws {
        try RandomGenerator.seed(2)
        let (tokens, heads, size) = (37, 3, 10)
        let angles = try Tensor.randomNormal([tokens, 1, size / 2]) * 3
        let doubled = try Tensor.concatenated([angles, angles], along: -1)
        let (cos, sin) = try (doubled.cos(), doubled.sin())
        try compare([[tokens, heads, size]], type) {
            try $0[0].rotated(cos: cos, sin: sin)
        } definition: { x in
            let first = try x[0].narrowed(-1, start: 0, count: size / 2)
            let second = try x[0].narrowed(-1, start: size / 2, count: size / 2)
            let turned = try Tensor.concatenated([-second, first], along: -1)
            return try x[0] * cos.to(.float64) + turned * sin.to(.float64)
        }
    }

    @Test(arguments: types, [Tensor.GateActivation.silu, .geluTanh])
    func gate(_ type: DType, _ activation: Tensor.GateActivation) throws {
        try compare([[29, 51], [29, 51]], type, scale: 4) {
            try $0[0].gating($0[1], activation)
        } definition: { x in
            try (activation == .silu ? x[0].silu() : x[0].geluTanh()) * x[1]
        }
    }

    /// One pass with both weights gives the bits of two products and the gate: for sizes that are no whole blocks, and depths
    /// that are summed up from parts.
    @Test(
        arguments: [(37, 64, 80), (200, 2_112, 40), (5, 32, 1), (1_100, 96, 100)],
        [Tensor.GateActivation.silu, .geluTanh])
    func gatedProduct(_ shape: (rows: Int, depth: Int, width: Int), _ activation: Tensor.GateActivation) throws {
        try RandomGenerator.seed(3)
        let input = try Tensor.randomNormal([shape.rows, shape.depth]).to(.bfloat16)
        let weights = try (0..<2).map { _ in
            try FrozenMatrix(Tensor.randomNormal([shape.width, shape.depth]).to(.bfloat16))
        }
        guard input.hasGatedProduct(with: weights[0]) else { return }  // only on a matrix unit, or with one emulated
        let apart = try input.frozenLinear(weights[0]).gating(input.frozenLinear(weights[1]), activation)
        let together = try input.gatedProduct(weights[0], weights[1], activation)
        #expect(try together.to(.float32).array(of: Float.self) == apart.to(.float32).array(of: Float.self))
        #expect(together.shape == [shape.rows, shape.width])
    }

    /// Values far out neither overflow nor become something that is not a number.
    @Test func gatesOfLargeValues() throws {
        let x = try Tensor([Float(-3e4), -90, 0, 90, 3e4])
        let one = try Tensor.ones([5])
        for activation in [Tensor.GateActivation.silu, .geluTanh] {
            let gated = try x.gating(one, activation).array(of: Float.self)
            #expect(maximumDifference(gated, [0, 0, 0, 90, 3e4]) < 1e-30)
        }
    }

    @Test func anInputThatIsNotContiguous() throws {
        try RandomGenerator.seed(4)
        let x = try Tensor.randomNormal([6, 8])
        let weight = try Tensor.ones([6])
        let direct = try x.transposed().rmsNorm(weight: weight, offset: 0, epsilon: 0)
        #expect(
            try direct.array(of: Float.self)
                == x.transposed().contiguous().rmsNorm(weight: weight, offset: 0, epsilon: 0).array(of: Float.self))
    }

    private func compare(
        _ shapes: [[Int]], _ type: DType, scale: Double = 1, _ fused: ([Tensor]) throws -> Tensor,
        definition: ([Tensor]) throws -> Tensor
    ) throws {
        try RandomGenerator.seed(3)
        let inputs = try shapes.map { try (Tensor.randomNormal($0) * scale).to(type).detached().requiringGradient() }
        let exact = try inputs.map { try $0.detached().to(.float64).requiringGradient() }
        let output = try fused(inputs)
        let expected = try definition(exact)
        let slope = try Tensor.randomNormal(output.shape).to(type)
        try output.backward(gradient: slope)
        try expected.backward(gradient: slope.to(.float64))
        func values(_ tensor: Tensor) throws -> [Float] { try tensor.detached().to(.float32).array(of: Float.self) }
        #expect(output.dtype == type)
        #expect(relativeError(try values(output), try values(expected)) < Self.tolerance(type))
        for (input, reference) in zip(inputs, exact) {
            #expect(
                relativeError(try values(input.gradient()!), try values(reference.gradient()!)) < Self.tolerance(type))
        }
    }
}
