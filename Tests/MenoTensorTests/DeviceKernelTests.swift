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
        let x = try Tensor.randomNormal([shape.rows, shape.size]).to(type)
        try compare([x]) { try $0[0].rmsNorm(weight: weight, offset: 1, epsilon: 1e-6) }
    }

    @Test(arguments: types) func rotation(_ type: DType) throws {
        try RandomGenerator.seed(2)
        let (tokens, heads, size) = (37, 3, 10)
        let (cos, sin) = try (Tensor.randomNormal([tokens, 1, size]), Tensor.randomNormal([tokens, 1, size]))
        let x = try Tensor.randomNormal([tokens, heads, size]).to(type)
        try compare([x]) { try $0[0].rotated(cos: cos, sin: sin) }
    }

    @Test(arguments: types, [Tensor.GateActivation.silu, .geluTanh])
    func gate(_ type: DType, _ activation: Tensor.GateActivation) throws {
        try RandomGenerator.seed(3)
        let inputs = try (0..<2).map { _ in try (Tensor.randomNormal([29, 51]) * 4).to(type) }
        try compare(inputs) { try $0[0].gating($0[1], activation) }
    }

    /// A key drops the same elements on every device.
    @Test(.enabled(if: Torch.hasOwnProducts), arguments: types, [0, 0.3])
    func adapters(_ type: DType, _ dropout: Double) throws {
        try RandomGenerator.seed(4)
        let weight = try Tensor.randomNormal([50, 24]).to(type)
        let inputs = try [
            Tensor.randomNormal([40, 24]).to(type), Tensor.randomNormal([6, 24]), Tensor.randomNormal([50, 6]),
        ]
        let keys = try RowKeys(key: 6, numbers: (0..<40).map { $0 * 5 }, device: .cpu)
        try compare(inputs) {
            try $0[0].adaptedLinear(
                FrozenMatrix(weight), down: $0[1], up: $0[2], scaling: 0.7, dropout: dropout > 0 ? (dropout, keys) : nil
            )
        }
        if dropout > 0 { try compare([inputs[0]]) { try $0[0].dropout(dropout, keys) } }
    }

    /// With the identity for the input and for B, and W = 0, a layer gives A as the activations' type has it.
    @Test(.enabled(if: Torch.hasOwnProducts), arguments: types) func conversion(_ type: DType) throws {
        let place = try Tensor.range(24, dtype: .int64)
        let one = try place.unsqueezed(1).isEqual(to: place.unsqueezed(0)).to(.float32)
        let none = try Tensor.zeros([24, 24]).to(type)
        try RandomGenerator.seed(5)
        let down = try Tensor.randomNormal([24, 24])
        let found = try onDevice {
            try one.to(type).adaptedLinear(FrozenMatrix(none), down: down, up: one, scaling: 0.5)
        }
        let expected = try (down.to(type).to(.float32) * 0.5).transposed().contiguous()
        #expect(try found.to(.float32).array(of: Float.self) == expected.array(of: Float.self))
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
        for differentiates in [false, true] {
            try onDevice {
                try emulated.headTile_(
                    targets: places, softcap: options.softcap, smoothing: options.smoothing,
                    differentiates: differentiates, loss: lossTensor, correct: correctTensor)
            }
            if !differentiates {
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
        try onDevice {
            try logits.headTile_(
                targets: Tensor([Int64(0), 0]), softcap: 0, smoothing: 0, differentiates: false, loss: losses,
                correct: correct)
        }
        let values = try losses.array(of: Float.self)
        #expect(values[0].isNaN && abs(values[1] - 0.40760596) < 1e-6)
    }
}

/// What a GPU would compute, of tensors on the CPU.
private func onDevice<Result>(_ body: () throws -> Result) rethrows -> Result {
    emulate_kernels(true)
    defer { emulate_kernels(false) }
    return try body()
}

/// A layer's output and the gradients of its inputs, on the CPU and on the device.
private func compare(
    _ inputs: [Tensor], sourceLocation: SourceLocation = #_sourceLocation,
    _ layer: @escaping ([Tensor]) throws -> Tensor
) throws {
    let results = {
        try RandomGenerator.seed(9)
        let leaves = try inputs.map { try $0.detached().requiringGradient() }
        let output = try layer(leaves)
        try output.backward(gradient: Tensor.randomNormal(output.shape).to(output.dtype))
        return try [output] + leaves.map { try #require(try $0.gradient()) }
    }
    for (found, expected) in try zip(onDevice(results), results()) {
        try expect(found, expected, inputs[0].dtype, sourceLocation: sourceLocation)
    }
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
