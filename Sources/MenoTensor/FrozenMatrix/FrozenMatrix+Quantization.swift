/// Quantisation of matrices as in bitsandbytes (Dettmers et al., 2023, arXiv:2305.14314): the same codes and scales, in its
/// order of operations.
extension FrozenMatrix {
    /// The number of values that share a scale, and of scales that share a second-level scale.
    package static let (block, nestedBlock) = (64, 256)

    /// Whether a matrix of this shape can be quantised: a row must be a multiple of the kernels' unit, and all values a multiple
    /// of the block.
    package static func quantizes(_ shape: [Int]) -> Bool {
        shape.count == 2 && shape[1] > 0 && shape[1] % 32 == 0 && shape[0] * shape[1] % block == 0
    }

    /// The number of values quantised at a time.
    private static let chunk = 1 << 20

    /// Quantises values to four bits each.
    /// - Parameters:
    ///   - values: `[rows, columns]` on the CPU, of a shape that ``quantizes(_:)``.
    ///   - nested: whether the scales are quantised too, to eight bits.
    package static func fourBits(_ values: Tensor, type: FourBitType, nested: Bool) throws -> FrozenMatrix {
        try fourBits(shape: values.shape, type: type, nested: nested, rows: rows(of: values))
    }

    /// Quantises values to four bits each, with only a few rows in memory at a time.
    /// - Parameters:
    ///   - shape: one that ``quantizes(_:)``.
    ///   - nested: whether the scales are quantised too, to eight bits.
    ///   - rows: returns some of the rows, `[count, columns]` on the CPU. Called once for each row, in order.
    package static func fourBits(
        shape: [Int], type: FourBitType, nested: Bool, rows: (Range<Int>) throws -> Tensor
    ) throws -> FrozenMatrix {
        precondition(quantizes(shape), "\(shape) cannot be quantised")
        let count = shape[0] * shape[1]
        let codebook = type.codebook
        let order = codebook.indices.sorted { (codebook[$0], $0) < (codebook[$1], $1) }
        let bounds = try Tensor(zip(order, order.dropFirst()).map { (codebook[$0] + codebook[$1]) / 2 })
        let numbers = try Tensor(order.map(UInt8.init))
        let bytes = try Tensor(uninitialized: [shape[0], shape[1] / 2], dtype: .uint8)
        let scales = try Tensor(uninitialized: [count / block], dtype: .float32)
        for part in parts(of: shape) {
            let values = try numbersOf(rows(part))
            let first = part.lowerBound * shape[1] / block
            let blocks = try scales.narrowed(0, start: first, count: values.count / block)
            let codes = try bytes.narrowed(0, start: part.lowerBound, count: part.count)
            _ = try Kernels.quantizeFourBits_([
                .tensor(values), .tensor(bounds), .tensor(numbers), .tensor(codes), .tensor(blocks),
            ])
        }
        guard nested else {
            return try FrozenMatrix(packed: [bytes, Tensor(codebook), scales], format: .fourBits, columns: shape[1])
        }
        let offset = try scales.mean(along: [0], keepingDimensions: true)
        let (scaleCodes, scaleScales) = try quantizedScales(scales - offset)
        return try FrozenMatrix(
            packed: [bytes, Tensor(codebook), scaleCodes, Tensor(scaleCodebook()), scaleScales, offset],
            format: .nestedFourBits, columns: shape[1])
    }

    /// Quantises values to eight bits each, with a scale for each row.
    /// - Parameter values: `[rows, columns]` on the CPU, of a shape that ``quantizes(_:)``.
    package static func eightBits(_ values: Tensor) throws -> FrozenMatrix {
        try eightBits(shape: values.shape, rows: rows(of: values))
    }

    /// Quantises values to eight bits each, with only a few rows in memory at a time. Parameters as for
    /// ``fourBits(shape:type:nested:rows:)``.
    package static func eightBits(shape: [Int], rows: (Range<Int>) throws -> Tensor) throws -> FrozenMatrix {
        precondition(quantizes(shape), "\(shape) cannot be quantised")
        let bytes = try Tensor(uninitialized: shape, dtype: .uint8)
        let scales = try Tensor(uninitialized: [shape[0]], dtype: .float32)
        for part in parts(of: shape) {
            let codes = try bytes.narrowed(0, start: part.lowerBound, count: part.count)
            let ofRows = try scales.narrowed(0, start: part.lowerBound, count: part.count)
            _ = try Kernels.quantizeEightBits_([.tensor(numbersOf(rows(part))), .tensor(codes), .tensor(ofRows)])
        }
        return try FrozenMatrix(packed: [bytes, scales], format: .int8, columns: shape[1])
    }

    /// Ranges of rows that are quantised together, each a multiple of the block.
    private static func parts(of shape: [Int]) -> [Range<Int>] {
        let step = max(2, chunk / shape[1] / 2 * 2)
        return stride(from: 0, to: shape[0], by: step).map { $0..<min($0 + step, shape[0]) }
    }

    private static func rows(of values: Tensor) -> (Range<Int>) throws -> Tensor {
        { try values.narrowed(0, start: $0.lowerBound, count: $0.count) }
    }

    /// Converts values to a type that the kernels read.
    private static func numbersOf(_ values: Tensor) throws -> Tensor {
        try (values.dtype == .bfloat16 ? values : values.to(.float32)).contiguous()
    }

    /// The nearest codes of some scales, and the second-level scale of each 256 of them.
    ///
    /// bitsandbytes on a GPU takes the nearest as well. Its library for CPUs rounds a scale to one of 65,536 steps first, and
    /// so picks the neighboring code for one scale in 600.
    private static func quantizedScales(_ scales: Tensor) throws -> (codes: Tensor, scales: Tensor) {
        let count = scales.count
        let missing = (nestedBlock - count % nestedBlock) % nestedBlock
        let blocks = try Tensor.concatenated([scales, .zeros([missing])], along: 0).reshaped([-1, nestedBlock])
        let largest = try ATen.amax.one(.tensor(blocks.abs()), .ints([1]))
        let factors = try ATen.reciprocal.one(.tensor(largest.clamped(1e-38, nil)))
        let values = try (blocks * factors.unsqueezed(1)).clamped(-1, 1).reshaped([-1])
            .narrowed(0, start: 0, count: count)
        let codebook = try scaleCodebook()
        let bounds = zip(codebook, codebook.dropFirst()).map { ($0 + $1) / 2 }
        let codes = try ATen.bucketize.one(.tensor(values.contiguous()), .tensor(Tensor(bounds)), .bool(true))
        return (try codes.to(.uint8), largest)
    }

    /// The 256 eight-bit values with a dynamic exponent (Dettmers, 2015, arXiv:1511.04561).
    private static func scaleCodebook() throws -> [Float] {
        var values: [Float] = [0, 1]
        for exponent in 0..<7 {
            let steps = (1 << exponent) + 1
            let bounds: [Float] = try ATen.linspace.one(.double(0.1), .double(1), .int(steps), .dtype(.float32)).array()
            let size = Float([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1][exponent])
            for (a, b) in zip(bounds, bounds.dropFirst()) {
                let mean = (a + b) / 2
                values += [size * mean, -size * mean]
            }
        }
        return values.sorted()
    }
}
