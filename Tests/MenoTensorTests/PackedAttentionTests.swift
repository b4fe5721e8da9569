import MenoTensor
import MenoTesting
import Testing

private let hasPackedAttention = (try? Tensor.ones([1, 1, 1]).hasPackedAttention(softcap: nil)) ?? false

/// Attention of sequences that lie end to end in one node, against the definition in float64.
@Suite(.drawsRandomNumbers, .enabled(if: hasPackedAttention, "this processor does not take such nodes"))
struct PackedAttentionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var dtype = DType.float32
        var lengths = [5, 1, 64, 130, 0, 65]
        /// Tokens of the first sequence that come before those of all others.
        var shared = 0
        var heads = 4
        var keyValueHeads = 2
        var size = 64
        var window: Int?
        var softcap: Double?
        var testDescription: String {
            "\(lengths) after \(shared) in \(dtype), \(heads) on \(keyValueHeads) heads of \(size), window \(window ?? 0), cap \(softcap ?? 0)"
        }
    }

    static let cases =
        [DType.float32, .bfloat16].flatMap { dtype in
            [nil, 2, 17, 64, 100, 1000].map { Case(dtype: dtype, window: $0) }
                + [
                    Case(dtype: dtype, softcap: 3), Case(dtype: dtype, window: 70, softcap: 3),
                    Case(dtype: dtype, heads: 3, keyValueHeads: 3, size: 96),
                    Case(dtype: dtype, heads: 2, keyValueHeads: 1, size: 20),
                    Case(dtype: dtype, lengths: [333], heads: 1, keyValueHeads: 1, size: 7, window: 129),
                    Case(dtype: dtype, lengths: [5, 1, 64, 0, 130], shared: 4),
                    Case(dtype: dtype, lengths: [64, 40, 65], shared: 64, softcap: 3),
                    Case(dtype: dtype, lengths: [150, 1, 70, 20], shared: 137, heads: 3, keyValueHeads: 3, size: 96),
                ]
                + [2, 17, 64, 100].map { Case(dtype: dtype, lengths: [200, 9, 61, 0, 100], shared: 133, window: $0) }
        }

    @Test(arguments: cases) func equalsTheDefinition(_ test: Case) throws {
        let inputs = try heads(test)
        let output = try attended(inputs, test)
        let slope = try Tensor.randomNormal(output.shape).to(test.dtype)
        try output.backward(gradient: slope)

        let exact = try inputs.map { try $0.detached().to(.float64).requiringGradient() }
        let expected = try definition(exact, test)
        try expected.backward(gradient: slope.to(.float64))
        func error(_ tensor: Tensor?, _ reference: Tensor?) throws -> Double {
            relativeError(
                try #require(tensor).detached().to(.float32).array(of: Float.self),
                try #require(reference).detached().to(.float32).array(of: Float.self))
        }
        let tolerance = test.dtype == .bfloat16 ? 1e-2 : 2e-6
        #expect(output.shape == inputs[0].shape)
        #expect(try error(output, expected) < tolerance)
        for (input, reference) in zip(inputs, exact) {
            #expect(try error(input.gradient(), reference.gradient()) < tolerance)
        }
    }

    /// New tokens attend to cached keys and values as they would in one sequence.
    @Test(
        arguments: cases.filter { $0.shared == 0 && $0.dtype == .float32 && $0.lengths.count > 1 },
        [DType.float32, .bfloat16])
    func cachedTokensAttendAlike(_ test: Case, _ cacheType: DType) throws {
        var whole = test
        whole.lengths = [130]
        let inputs = try heads(whole).map { try $0.detached().to(cacheType).to(.float32) }
        let expected = try attended(inputs, whole).narrowed(0, start: 126, count: 4)
        let part = { (index: Int, start: Int, count: Int) in
            try inputs[index].narrowed(0, start: start, count: count).contiguous()
        }
        let caches = try [1, 2].map { index in
            let cache = try Tensor.zeros([140, test.keyValueHeads, test.size]).to(cacheType)
            try cache.narrowed(0, start: 0, count: 126).copy_(part(index, 0, 126))
            return cache
        }
        let output = try Tensor.cachedAttention(
            query: part(0, 126, 4), key: part(1, 126, 4), value: part(2, 126, 4), cache: (caches[0], caches[1]),
            before: 126, window: test.window, scale: 0.3, softcap: test.softcap)
        #expect(
            relativeError(
                try output.array(of: Float.self), try expected.contiguous().array(of: Float.self)) < 2e-6)
        #expect(
            try caches[0].narrowed(0, start: 126, count: 4).to(.float32).array(of: Float.self)
                == part(1, 126, 4).array(of: Float.self))
        #expect(throws: TorchError.self) {
            try Tensor.cachedAttention(
                query: part(0, 126, 4), key: part(1, 126, 4), value: part(2, 126, 4), cache: (caches[0], caches[1]),
                before: 138, window: nil, scale: 1, softcap: nil)
        }
    }

    /// A sequence gets the same bits whatever lies beside it.
    @Test(arguments: [DType.float32, .bfloat16]) func neighboursDoNotShow(_ dtype: DType) throws {
        let test = Case(dtype: dtype, lengths: [40, 70, 9])
        let inputs = try heads(test).map { try $0.detached() }
        let all = try attended(inputs, test).narrowed(0, start: 40, count: 70)
        var one = test
        one.lengths = [70]
        let alone = try attended(inputs.map { try $0.narrowed(0, start: 40, count: 70) }, one)
        #expect(try all.to(.float32).array(of: Float.self) == alone.to(.float32).array(of: Float.self))
    }

    /// Nor whether what it begins with lies in another.
    @Test(arguments: [DType.float32, .bfloat16]) func aCommonBeginningChangesNoBit(_ dtype: DType) throws {
        let inputs = try heads(Case(dtype: dtype, lengths: [90, 50])).map { try $0.detached() }
        let together = try attended(inputs, Case(dtype: dtype, lengths: [90, 50], shared: 70))
        let whole = try inputs.map {
            try Tensor.concatenated(
                [$0.narrowed(0, start: 0, count: 70), $0.narrowed(0, start: 90, count: 50)], along: 0)
        }
        let alone = try attended(whole, Case(dtype: dtype, lengths: [120])).narrowed(0, start: 70, count: 50)
        let own = try together.narrowed(0, start: 90, count: 50)
        #expect(try own.to(.float32).array(of: Float.self) == alone.to(.float32).array(of: Float.self))
    }

    @Test(arguments: [0, 80]) func threadsChangeNothing(_ shared: Int) throws {
        let test = Case(lengths: [90, 200, 31, 64, 150], shared: shared, window: 100)
        let inputs = try heads(test)
        func values() throws -> [[Float]] {
            for input in inputs { try input.setGradient(nil) }
            let output = try attended(inputs, test)
            try output.backward(gradient: Tensor.ones(output.shape))
            return try [output.detached().array()] + inputs.map { try $0.gradient()!.array() }
        }
        let several = try values()
        let threads = Torch.threadCount
        Torch.threadCount = 1
        defer { Torch.threadCount = threads }
        #expect(try values() == several)
    }

    @Test func whatDoesNotFitIsRefused() throws {
        let query = try Tensor.ones([6, 4, 8])
        for (keyShape, lengths) in [([6, 3, 8], [6]), ([5, 4, 8], [6]), ([6, 4, 7], [6]), ([6, 4, 8], [5])] {
            #expect(throws: TorchError.self) {
                let key = try Tensor.ones(keyShape)
                _ = try Tensor.packedAttention(
                    query: query, key: key, value: key, boundaries: SequenceBoundaries(lengths: lengths, device: .cpu),
                    window: nil, scale: 1)
            }
        }
        #expect(throws: TorchError.self) {
            try Tensor.packedAttention(
                query: query, key: query, value: query,
                boundaries: SequenceBoundaries(lengths: [2, 4], shared: 3, device: .cpu), window: nil, scale: 1)
        }
    }

    private func heads(_ test: Case) throws -> [Tensor] {
        try RandomGenerator.seed(21)
        let tokens = test.lengths.reduce(0, +)
        return try [test.heads, test.keyValueHeads, test.keyValueHeads].map {
            try Tensor.randomNormal([tokens, $0, test.size]).to(test.dtype).requiringGradient()
        }
    }

    private func attended(_ inputs: [Tensor], _ test: Case) throws -> Tensor {
        try Tensor.packedAttention(
            query: inputs[0], key: inputs[1], value: inputs[2],
            boundaries: SequenceBoundaries(lengths: test.lengths, shared: test.shared, device: .cpu),
            window: test.window,
            scale: 0.3,
            softcap: test.softcap)
    }

    private func definition(_ inputs: [Tensor], _ test: Case) throws -> Tensor {
        var start = 0
        let results = try test.lengths.map { own in
            defer { start += own }
            let group = test.heads / test.keyValueHeads
            let before = start > 0 ? test.shared : 0
            let length = before + own
            let sides = try inputs.enumerated().map { index, tensor in
                let part = try Tensor.concatenated(
                    [tensor.narrowed(0, start: 0, count: before), tensor.narrowed(0, start: start, count: own)],
                    along: 0
                ).transposed(0, 1)
                guard index > 0 else { return part }
                return try part.unsqueezed(1).expanded([test.keyValueHeads, group, length, test.size])
                    .reshaped([test.heads, length, test.size])
            }
            var scores = try (sides[0] * 0.3).matmul(sides[1].transposed(-1, -2))
            if let cap = test.softcap { scores = try (scores / cap).tanh() * cap }
            let place = try Tensor.range(length)
            let distance = try place.unsqueezed(1) - place.unsqueezed(0)
            let near = try distance.isLess(than: Tensor([Float(test.window ?? length + 1)]))
            let hidden = try Tensor([Float(0)]).isLessOrEqual(distance).and(near).logicalNot()
            let weights = try scores.masked(by: hidden, with: -.infinity).softmax(along: -1)
            return try weights.matmul(sides[2]).transposed(0, 1).narrowed(0, start: before, count: own)
        }
        return try Tensor.concatenated(results, along: 0)
    }
}
