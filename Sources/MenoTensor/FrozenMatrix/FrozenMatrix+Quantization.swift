/// Matrices quantised as bitsandbytes does it (Dettmers et al., 2023, arXiv:2305.14314): the same codes and scales, in its
/// order of operations.
extension FrozenMatrix {
    /// The sixteen values of four bits.
    public enum FourBitType: String, Sendable, Hashable, CaseIterable {
        /// Quantiles of a normal distribution.
        case nf4
        /// Floating-point numbers of four bits.
        case fp4

        var codebook: [Float] {
            switch self {
            case .nf4:
                [
                    -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                    -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
                    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                    0.7229568362236023, 1,
                ]
            case .fp4:
                [0, 0.0625, 8, 12, 4, 6, 2, 3, 0, -0.0625, -8, -12, -4, -6, -2, -3].map { $0 / 12 }
            }
        }
    }

    /// Values that have a scale in common, and scales that have one.
    private static let (block, nestedBlock) = (64, 256)

    /// Whether a matrix of this shape can be quantised: rows are whole units of the kernels, all values whole blocks.
    public static func quantizes(_ shape: [Int]) -> Bool {
        shape.count == 2 && shape[1] > 0 && shape[1] % 32 == 0 && shape[0] * shape[1] % block == 0
    }

    /// Values in four bits each.
    /// - Parameters:
    ///   - values: `[rows, columns]` on the CPU, of a shape that ``quantizes(_:)``.
    ///   - nested: whether the scales, too, are quantised, to eight bits.
    public static func fourBits(_ values: Tensor, type: FourBitType, nested: Bool) throws -> FrozenMatrix {
        precondition(quantizes(values.shape), "\(values.shape) cannot be quantised")
        let (rows, columns) = (values.size(0), values.size(1))
        let blocks = try values.to(.float32).reshaped([values.count / block, block])
        let scales = try ATen.amax.one(.tensor(blocks.abs()), .ints([1]))
        let factors = try ATen.reciprocal.one(.tensor(scales.clamped(1e-38, nil)))
        let scaled = try (blocks * factors.unsqueezed(1)).clamped(-1, 1)
        let codebook = type.codebook
        let order = codebook.indices.sorted { (codebook[$0], $0) < (codebook[$1], $1) }
        let bounds = zip(order, order.dropFirst()).map { (codebook[$0] + codebook[$1]) / 2 }
        var codes = try ATen.bucketize.one(.tensor(scaled), .tensor(Tensor(bounds)), .bool(true))
        codes =
            type == .nf4
            ? try codes.to(.uint8)
            : try Tensor(order.map(UInt8.init)).indexed(by: codes.to(.int64).reshaped([values.count]), along: 0)
        let pairs = try codes.reshaped([values.count / 2, 2])
        let high = try ATen.mulScalar.one(.tensor(pairs.selected(0, along: 1)), .int(16))
        let bytes = try (high + pairs.selected(1, along: 1)).reshaped([rows, columns / 2]).contiguous()
        guard nested else {
            return try FrozenMatrix(packed: [bytes, Tensor(codebook), scales], format: .fourBits, columns: columns)
        }
        let offset = try scales.mean(along: [0], keepingDimensions: true)
        let (scaleCodes, scaleScales) = try quantizedScales(scales - offset)
        return try FrozenMatrix(
            packed: [bytes, Tensor(codebook), scaleCodes, Tensor(scaleCodebook()), scaleScales, offset],
            format: .nestedFourBits, columns: columns)
    }

    /// Values in eight bits each, with a scale for each row.
    /// - Parameter values: `[rows, columns]` on the CPU, of a shape that ``quantizes(_:)``.
    public static func eightBits(_ values: Tensor) throws -> FrozenMatrix {
        precondition(quantizes(values.shape), "\(values.shape) cannot be quantised")
        let values = try values.to(.float32)
        let scales = try ATen.amax.one(.tensor(values.abs()), .ints([1]))
        let factors = try ATen.reciprocal.one(.tensor(scales.clamped(1e-38, nil))) * 127
        let rounded = try ATen.round.one(.tensor(values * factors.unsqueezed(1)))
        // Two's complement.
        let bytes = try ATen.remainder.one(.tensor(rounded), .int(256)).to(.uint8).contiguous()
        return try FrozenMatrix(packed: [bytes, scales], format: .int8, columns: values.size(1))
    }

    /// The nearest codes of some scales, and what each 256 of them are multiplied by.
    private static func quantizedScales(_ scales: Tensor) throws -> (codes: Tensor, scales: Tensor) {
        let count = scales.count
        let missing = (nestedBlock - count % nestedBlock) % nestedBlock
        let blocks = try Tensor.concatenated([scales, .zeros([missing])], along: 0).reshaped([-1, nestedBlock])
        let largest = try ATen.amax.one(.tensor(blocks.abs()), .ints([1]))
        let values: [Float] = try (blocks / largest.clamped(1e-38, nil).unsqueezed(1)).array()
        let codebook = try scaleCodebook()
        let codes = values.prefix(count).map { value -> UInt8 in
            var (low, high) = (0, 255)
            while low < high {
                let middle = (low + high + 1) / 2
                if codebook[middle] <= value { low = middle } else { high = middle - 1 }
            }
            let isNearer = low < 255 && codebook[low + 1] - value < value - codebook[low]
            return UInt8(isNearer ? low + 1 : low)
        }
        return (try Tensor(codes), largest)
    }

    /// The 256 values of eight bits whose exponent has as many of them as it needs (Dettmers, 2015, arXiv:1511.04561).
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
