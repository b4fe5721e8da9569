import KernelEmulation
import MenoTesting
import Testing

@testable import MenoTensor

/// The GPU's kernels, emulated, against those of the CPU.
@Suite(.serialized, .drawsRandomNumbers) struct DeviceKernelTests {
    static let types = [DType.float32, .bfloat16]
    /// Of a value, where the two round once more or less.
    static func tolerance(_ type: DType) -> Float { type == .float32 ? 3e-6 : 8e-3 }

    @Test(arguments: types, [(33, 7), (3, 640), (2, 3)]) func rmsNorm(_ type: DType, _ shape: (rows: Int, size: Int))
        throws
    {
        try RandomGenerator.seed(1)
        let weight = try Tensor.randomNormal([shape.size])
        let x = try Tensor.randomNormal([shape.rows, shape.size]).to(type).requiringGradient()
        let expected = try x.rmsNorm(weight: weight, offset: 1, epsilon: 1e-6)
        let slope = try Tensor.randomNormal(x.shape).to(type)
        try expected.backward(gradient: slope)

        let (rows, size) = (Int64(shape.rows), Int64(shape.size))
        let (y, scales) = (try Tensor.zeros(x.shape).to(type), try Tensor.zeros([shape.rows]))
        try emulate(
            "normalize", type, .warps(shape.rows), x, weight, rows, size, Float(1), Float(1e-6), y, scales)
        try expect(y, expected, type)
        let dx = try Tensor.zeros(x.shape).to(type)
        try emulate(
            "normalize_backward", type, .warps(shape.rows), slope, x, weight, scales, rows, size, Float(1), dx)
        try expect(dx, #require(try x.gradient()), type)
    }

    @Test(arguments: types) func rotation(_ type: DType) throws {
        try RandomGenerator.seed(2)
        let (tokens, heads, size) = (37, 3, 10)
        let (cos, sin) = try (Tensor.randomNormal([tokens, 1, size]), Tensor.randomNormal([tokens, 1, size]))
        let x = try Tensor.randomNormal([tokens, heads, size]).to(type).requiringGradient()
        let expected = try x.rotated(cos: cos, sin: sin)
        let slope = try Tensor.randomNormal(x.shape).to(type)
        try expected.backward(gradient: slope)
        for (input, sign, result) in [(x, Float(1), expected), (slope, -1, try #require(try x.gradient()))] {
            let y = try Tensor.zeros(x.shape).to(type)
            try emulate(
                "turn", type, .elements(x.count / 2), input, cos, sin, Int64(tokens), Int64(heads), Int64(size), sign, y
            )
            try expect(y, result, type)
        }
    }

    @Test(arguments: types, [Tensor.GateActivation.silu, .geluTanh])
    func gate(_ type: DType, _ activation: Tensor.GateActivation) throws {
        try RandomGenerator.seed(3)
        let make = { try (Tensor.randomNormal([29, 51]) * 4).to(type).requiringGradient() }
        let (gated, up) = (try make(), try make())
        let expected = try gated.gating(up, activation)
        let slope = try Tensor.randomNormal([29, 51]).to(type)
        try expected.backward(gradient: slope)
        let (count, kind) = (Int64(gated.count), Int32(activation == .silu ? 0 : 1))
        let out = try Tensor.zeros([29, 51]).to(type)
        try emulate("gate", type, .elements(gated.count), gated, up, count, kind, out)
        try expect(out, expected, type)
        let (dGate, dUp) = (try Tensor.zeros([29, 51]).to(type), try Tensor.zeros([29, 51]).to(type))
        try emulate("gate_backward", type, .elements(gated.count), slope, gated, up, count, kind, dGate, dUp)
        try expect(dGate, #require(try gated.gradient()), type)
        try expect(dUp, #require(try up.gradient()), type)
    }

    /// A key drops the same elements on every device.
    @Test(.enabled(if: Torch.hasOwnProducts), arguments: types) func dropout(_ type: DType) throws {
        let (rows, size, probability) = (40, 24, 0.3)
        try RandomGenerator.seed(4)
        let x = try (Tensor.randomNormal([rows, size]) + 5).to(type)
        // With A and B the identity and W = 0, the layer is its dropout.
        let one = try Tensor.range(size, dtype: .int64).unsqueezed(1)
            .isEqual(to: Tensor.range(size, dtype: .int64).unsqueezed(0)).to(.float32)
        let none = try Tensor.zeros([size, size]).to(type)
        try #require(x.hasAdaptedLinear(none))
        try RandomGenerator.seed(5)
        let expected = try x.adaptedLinear(none, down: one, up: one, scaling: 1, dropout: probability)
        try RandomGenerator.seed(5)
        let key = try RandomGenerator.bits()

        let limit = UInt32((probability * 4_294_967_295).rounded())
        for adds in [Int32(0), 1] {
            let to = try Tensor.ones([rows, size]).to(type)
            try emulate(
                "drop", type, .elements(x.count), x, Int64(x.count), Int64(size), key, limit,
                Float(1 / (1 - probability)),
                adds, to)
            try expect(to, adds == 0 ? expected : expected + 1, type)
        }
        #expect(try expected.to(.float32).array(of: Float.self).contains(0))
    }

    @Test(arguments: types) func conversion(_ type: DType) throws {
        try RandomGenerator.seed(6)
        let (a, b) = try (Tensor.randomNormal([300]), Tensor.randomNormal([77]))
        let (narrowA, narrowB) = (try Tensor.zeros([300]).to(type), try Tensor.zeros([77]).to(type))
        try emulate(
            "narrow", type, .elements(377), a, Int64(300), narrowA, b, Int64(77), Float(0.5), narrowB)
        let (wideA, wideB) = (try Tensor.zeros([300]), try Tensor.zeros([77]))
        try emulate(
            "widen", type, .elements(377), narrowA, Int64(300), wideA, narrowB, Int64(77), Float(2), wideB)
        #expect(try wideA.array(of: Float.self) == a.to(type).to(.float32).array(of: Float.self))
        #expect(try wideB.array(of: Float.self) == b.to(type).to(.float32).array(of: Float.self))
    }

    @Test(arguments: types, [(0.0, 0.0), (30, 0), (0, 0.1), (30, 0.1)])
    func crossEntropy(_ type: DType, _ options: (softcap: Double, smoothing: Double)) throws {
        try RandomGenerator.seed(7)
        let (rows, vocabulary) = (5, 1_003)
        let targets = [Int64(0), 1_002, 17, 500, 3]
        let logits = try (Tensor.randomNormal([rows, vocabulary]) * 4).to(type)
        // The first row's target is its largest logit.
        try logits.narrowed(0, start: 0, count: 1).narrowed(1, start: 0, count: 1).copy_(
            Tensor([Float(40)]).unsqueezed(0))
        let (expected, emulated) = (try logits.to(.float64).to(type), try logits.to(.float64).to(type))
        var losses = [Float](repeating: 0, count: rows)
        var correct = [UInt8](repeating: 0, count: rows)
        try targets.withUnsafeBufferPointer { targets in
            try losses.withUnsafeMutableBufferPointer { losses in
                try correct.withUnsafeMutableBufferPointer { correct in
                    try expected.headTile_(
                        targets: targets, softcap: options.softcap, smoothing: options.smoothing, gradientScale: 1,
                        loss: losses, correct: correct)
                }
            }
        }
        let (lossTensor, correctTensor) = (try Tensor.zeros([rows]), try Tensor.zeros([rows]).to(.uint8))
        let places = try Tensor(targets)
        for differentiates in [Int32(0), 1] {
            try emulate(
                "cross_entropy", type, .init(blocks: rows, columns: 96), emulated, places, Int64(vocabulary),
                Float(options.softcap), Float(options.smoothing), differentiates, lossTensor, correctTensor)
            if differentiates == 0 {
                #expect(
                    try emulated.to(.float32).array(of: Float.self) == logits.to(.float32).array(of: Float.self),
                    "without a gradient the logits are left alone")
            }
        }
        #expect(maximumDifference(try lossTensor.array(of: Float.self), losses) < 2e-5)
        #expect(try correctTensor.array(of: UInt8.self) == correct)
        #expect(correct[0] == 1)
        try expect(emulated, expected, type)
    }

    /// A logit that is not a number makes the loss of its row, and of no other, not a number.
    @Test func crossEntropyOfWhatIsNotANumber() throws {
        let logits = try Tensor([Float(1), .nan, 2, 3, 1, 2], shape: [2, 3])
        let (losses, correct) = (try Tensor.zeros([2]), try Tensor.zeros([2]).to(.uint8))
        try emulate(
            "cross_entropy", .float32, .init(blocks: 2, columns: 1024), logits, try Tensor([Int64(0), 0]), Int64(3),
            Float(0),
            Float(0), Int32(0), losses, correct)
        let values = try losses.array(of: Float.self)
        #expect(values[0].isNaN && abs(values[1] - 0.40760596) < 1e-6)
    }
}

/// Blocks and the threads of each, as the program launches them.
private struct Grid {
    var blocks: Int
    var columns: UInt32
    var rows: UInt32 = 1

    static func elements(_ count: Int) -> Grid { Grid(blocks: (count + 255) / 256, columns: 256) }
    static func warps(_ rows: Int) -> Grid { Grid(blocks: (rows + 3) / 4, columns: 32, rows: 4) }
}

/// A tensor stands for the address of its first element, everything else for itself.
private func emulate(_ kernel: String, _ type: DType, _ grid: Grid, _ arguments: Any...) throws {
    let values = try arguments.map { argument -> UnsafeMutableRawPointer in
        func boxed<Value>(_ value: Value) -> UnsafeMutableRawPointer {
            let memory = UnsafeMutablePointer<Value>.allocate(capacity: 1)
            memory.initialize(to: value)
            return UnsafeMutableRawPointer(memory)
        }
        return switch argument {
        case let tensor as Tensor: boxed(try tensor.withMutableBytes { $0.baseAddress })
        case let value as Float: boxed(value)
        case let value as Int32: boxed(value)
        case let value as UInt32: boxed(value)
        case let value as Int64: boxed(value)
        case let value as UInt64: boxed(value)
        default: preconditionFailure("no kernel takes a \(Swift.type(of: argument))")
        }
    }
    defer { for value in values { value.deallocate() } }
    let found = withExtendedLifetime(arguments) {
        values.map(Optional.init).withUnsafeBufferPointer {
            emulate_kernel("\(kernel)_\(type)", Int64(grid.blocks), grid.columns, grid.rows, $0.baseAddress)
        }
    }
    try #require(found, "no kernel \(kernel)_\(type)")
}

/// Equal but for rounding, relative to the largest value.
private func expect(
    _ result: Tensor, _ expected: Tensor, _ type: DType, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let values = try (result.to(.float32).array(of: Float.self), expected.to(.float32).array(of: Float.self))
    let scale = values.1.map(abs).max() ?? 0
    #expect(
        maximumDifference(values.0, values.1) <= DeviceKernelTests.tolerance(type) * scale,
        sourceLocation: sourceLocation)
}
