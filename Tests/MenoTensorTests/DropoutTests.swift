import MenoTensor
import MenoTesting
import Testing

/// Dropout and noise are functions of a key, a row's number and a column.
@Suite(.drawsRandomNumbers) struct DropoutTests {
    private let numbers: [Int64] = [0, 1, 3 << 32, 3 << 32 | 1, 7 << 32 | 2_000]

    /// The formula in Swift: SplitMix64's finalizer for a row, MurmurHash3's mixer for a column.
    private func bits(key: UInt64, number: Int64, column: UInt32) -> UInt32 {
        var z = key &+ (UInt64(bitPattern: number) &+ 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        var h = column ^ UInt32(truncatingIfNeeded: z)
        h = (h ^ (h >> 16)) &* 0x85EB_CA6B
        h = (h ^ (h >> 13)) &+ UInt32(z >> 32)
        h = h &* 0xC2B2_AE35
        h = (h ^ (h >> 16)) &* 0x85EB_CA6B
        return h ^ (h >> 13)
    }

    @Test(arguments: [DType.float32, .bfloat16]) func equalsTheFormula(_ type: DType) throws {
        let (key, columns) = (RowKeys.key(seed: 42, step: 3), 70)
        let keys = try RowKeys(key: key, numbers: numbers, device: .cpu)
        let x = try Tensor.ones([numbers.count, columns]).to(type).requiringGradient()
        let output = try x.dropout(0.25, keys)
        try output.backward(gradient: Tensor.full(output.shape, 3).to(type))
        let scale = try Tensor([Float(4.0 / 3)]).to(type).to(.float32).item()
        let expected: [Float] = numbers.flatMap { number in
            (0..<columns).map { column in
                bits(key: key, number: number, column: UInt32(column)) >= UInt32.max / 4 + 1 ? Float(scale) : 0
            }
        }
        #expect(try output.detached().to(.float32).array() == expected)
        #expect(try x.gradient()!.to(.float32).array() == expected.map { $0 > 0 ? Float(4) : 0 })
        let noise = try Tensor.noise(columns: columns, keys).array(of: Float.self)
        let uniform = numbers.flatMap { number in
            (0..<columns).map { Float(bits(key: key, number: number, column: UInt32($0)) >> 8) / 8_388_608 - 1 }
        }
        #expect(noise == uniform)
    }

    /// Types that no kernel takes drop the same elements.
    @Test func everyTypeDropsTheSame() throws {
        let keys = try RowKeys(key: 5, numbers: numbers, device: .cpu).keys(for: RowKeys.identifier(of: "layer"))
        let ones = try Tensor.ones([numbers.count, 33])
        let expected = try ones.dropout(0.5, keys).array(of: Float.self)
        #expect(Set(expected) == [0, 2])
        for type in [DType.float64, .float16] {
            #expect(try ones.to(type).dropout(0.5, keys).to(.float32).array() == expected, "\(type)")
        }
    }

    /// Where rows lie, and beside which, changes nothing.
    @Test func rowsKeepTheirElements() throws {
        let x = try Tensor.randomNormal([numbers.count, 40])
        let all = try x.dropout(0.4, RowKeys(key: 5, numbers: numbers, device: .cpu)).array(of: Float.self)
        for (row, number) in numbers.enumerated() {
            let one = try x.narrowed(0, start: row, count: 1)
                .dropout(0.4, RowKeys(key: 5, numbers: [number], device: .cpu))
            #expect(try one.array() == Array(all[row * 40..<(row + 1) * 40]))
        }
    }

    @Test func keysDiffer() throws {
        let keys = (0..<3).flatMap { seed in (0..<3).map { RowKeys.key(seed: UInt64(seed), step: $0) } }
        #expect(Set(keys).count == keys.count)
        let base = try RowKeys(key: keys[0], numbers: numbers, device: .cpu)
        let noise = try ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"].map {
            try Tensor.noise(columns: 9, base.keys(for: RowKeys.identifier(of: $0))).array(of: Float.self)
        }
        #expect(noise[0] != noise[1])
    }
}
