internal import MenoTensor

/// Rotary position embeddings (Su et al., 2021, arXiv:2104.09864).
final class RotaryEmbedding {
    let configuration: RotaryConfiguration
    private let headDimension: Int
    private let device: Device
    /// cos and sin of consecutive positions, `[positions, dimension]`, for each regime of a sequence's length.
    private var tables: [Int: (cos: Tensor, sin: Tensor)] = [:]

    /// Elements of a head that are rotated.
    private var dimension: Int { configuration.dimension ?? headDimension }

    init(_ configuration: RotaryConfiguration, headDimension: Int, device: Device) {
        self.configuration = configuration
        self.headDimension = headDimension
        self.device = device
    }

    /// cos and sin of the angles of tokens, each `[tokens, 1, dimension]` in float32.
    /// - Parameters:
    ///   - positions: the position of each token in its sequence.
    ///   - indices: the same as a tensor on the device.
    ///   - lengths: the length of each token's sequence, evaluated only if the angles depend on it.
    func angles(
        positions: [Int64], indices: Tensor, lengths: () -> [Int]
    ) throws -> (cos: Tensor, sin: Tensor) {
        let rows = max(256, Int(positions.max() ?? 0) + 1)
        return try withoutGradient {
            guard configuration.dependsOnLength else { return try Self.rows(indices, of: table(0, rows: rows)) }
            let regimes = lengths().map(configuration.regime)
            let distinct = Set(regimes).sorted()
            tables = tables.filter { distinct.contains($0.key) }
            let parts = try distinct.map { try table($0, rows: rows) }
            guard parts.count > 1 else { return try Self.rows(indices, of: parts[0]) }
            let starts = parts.reduce(into: [0]) { $0.append($0.last! + $1.cos.size(0)) }
            let places = zip(positions, regimes).map { $0 + Int64(starts[distinct.firstIndex(of: $1)!]) }
            let all = try (
                cos: Tensor.concatenated(parts.map(\.cos), along: 0),
                sin: Tensor.concatenated(parts.map(\.sin), along: 0)
            )
            return try Self.rows(Tensor(places, device: device), of: all)
        }
    }

    private static func rows(
        _ indices: Tensor, of table: (cos: Tensor, sin: Tensor)
    ) throws -> (cos: Tensor, sin: Tensor) {
        (
            try table.cos.indexed(by: indices, along: 0).unsqueezed(1),
            try table.sin.indexed(by: indices, along: 0).unsqueezed(1)
        )
    }

    private func table(_ regime: Int, rows needed: Int) throws -> (cos: Tensor, sin: Tensor) {
        if let table = tables[regime], table.cos.size(0) >= needed { return table }
        // Powers of two, so that a growing cache does not rebuild the tables at every token.
        var rows = 256
        while rows < needed { rows *= 2 }
        let frequencies = configuration.inverseFrequencies(dimension: dimension, regime: regime)
        let angles =
            try Tensor.range(rows, dtype: .float32).unsqueezed(1)
            * Tensor(frequencies.map { Float($0) }).unsqueezed(0)
        let doubled = try Tensor.concatenated([angles, angles], along: 1).to(device)
        var (cos, sin) = (try doubled.cos(), try doubled.sin())
        let factor = configuration.attentionFactor
        if factor != 1 { (cos, sin) = (try cos * factor, try sin * factor) }
        tables[regime] = (cos, sin)
        return (cos, sin)
    }

    /// Rotates the first elements of each head.
    ///
    /// Interleaved pairs come out as halves. Queries and keys are reordered in the same way, so their products do not change.
    /// - Parameter heads: `[tokens, heads, headDimension]`.
    func callAsFunction(_ heads: Tensor, _ angles: (cos: Tensor, sin: Tensor)) throws -> Tensor {
        guard dimension < headDimension else { return try rotated(heads, angles) }
        let turned = try heads.narrowed(-1, start: 0, count: dimension)
        let kept = try heads.narrowed(-1, start: dimension, count: headDimension - dimension)
        return try Tensor.concatenated([rotated(turned, angles), kept], along: -1)
    }

    private func rotated(_ x: Tensor, _ angles: (cos: Tensor, sin: Tensor)) throws -> Tensor {
        guard configuration.isInterleaved else { return try Self.rotated(x, cos: angles.cos, sin: angles.sin) }
        let halves = try x.reshaped([x.size(0), x.size(1), dimension / 2, 2]).transposed(-1, -2).reshaped(x.shape)
        return try Self.rotated(halves, cos: angles.cos, sin: angles.sin)
    }

    /// x · cos + (−x₂, x₁) · sin.
    private static func rotated(_ heads: Tensor, cos: Tensor, sin: Tensor) throws -> Tensor {
        if heads.hasFusedLayers { return try heads.rotated(cos: cos, sin: sin) }
        let half = heads.size(-1) / 2
        let x = try heads.to(.float32)
        let first = try x.narrowed(-1, start: 0, count: half)
        let second = try x.narrowed(-1, start: half, count: half)
        let rotated = try Tensor.concatenated([-second, first], along: -1)
        return try (x * cos + rotated * sin).to(heads.dtype)
    }
}
