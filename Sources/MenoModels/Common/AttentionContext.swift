internal import Foundation
internal import MenoTensor

/// State that all layers of one pass share: the layout, rotation tables, masks, and the key of dropout.
final class AttentionContext {
    let layout: SequenceLayout
    private let device: Device
    /// The number of cached tokens of each sequence; empty without a cache.
    private let offsets: [Int]
    let positions: [Int64]
    /// The same, on the device.
    let indices: Tensor
    private var angles: [ObjectIdentifier: (cos: Tensor, sin: Tensor)] = [:]
    private var masks: [MaskKey: Tensor] = [:]
    private var sequenceBoundaries: SequenceBoundaries?
    /// Whether the pass adds a few tokens to those in a cache, in float32 on the CPU.
    let isFew: Bool
    private let randomKey: UInt64?
    private var knownRowKeys: RowKeys?
    /// The router loss, where the model is trained with one.
    var routerLoss: RouterLoss?

    private struct MaskKey: Hashable { var queries, keys, window: Int }

    /// - Parameters:
    ///   - offsets: the number of cached tokens of each sequence; empty without a cache.
    ///   - isFew: whether the pass adds a few tokens to those in a cache, in float32 on the CPU.
    ///   - randomKey: see ``Decoder/randomKey``; `nil` where nothing is trained.
    init(layout: SequenceLayout, offsets: [Int] = [], isFew: Bool = false, randomKey: UInt64?, device: Device) throws {
        self.layout = layout
        self.isFew = isFew
        self.offsets = offsets
        self.randomKey = randomKey
        self.device = device
        positions = offsets.isEmpty ? layout.positions : Self.positions(layout, offsets)
        indices = try Tensor(positions, device: device)
    }

    private static func positions(_ layout: SequenceLayout, _ offsets: [Int]) -> [Int64] {
        zip(layout.lengths, offsets).flatMap { length, offset in (offset..<offset + length).map(Int64.init) }
    }

    /// cos and sin of every token's angles for one of the layers' embeddings, each `[tokens, 1, dimension]`.
    func angles(_ rotary: RotaryEmbedding) throws -> (cos: Tensor, sin: Tensor) {
        if let known = angles[ObjectIdentifier(rotary)] { return known }
        let computed = try rotary.angles(positions: positions, indices: indices) {
            layout.lengths.enumerated().flatMap { index, length in
                let before = offsets.isEmpty ? (index > 0 ? layout.sharedPrefix : 0) : offsets[index]
                return Array(repeating: before + length, count: length)
            }
        }
        angles[ObjectIdentifier(rotary)] = computed
        return computed
    }

    /// The factor of each token's queries, `[tokens, 1, 1]`; `nil`: 1 for all.
    func growth(_ growth: QueryGrowth) throws -> Tensor? {
        guard let last = positions.max(), last >= growth.period else { return nil }
        let factors = positions.map { Float(1 + growth.rate * log(1 + Double($0 / Int64(growth.period)))) }
        return try Tensor(factors, device: device).reshaped([positions.count, 1, 1])
    }

    func boundaries() throws -> SequenceBoundaries {
        if let sequenceBoundaries { return sequenceBoundaries }
        let boundaries = try SequenceBoundaries(
            lengths: layout.lengths, shared: layout.sharedPrefix, device: device)
        sequenceBoundaries = boundaries
        return boundaries
    }

    /// The keys of dropout and noise; `nil` outside of training.
    func rowKeys() throws -> RowKeys? {
        guard let randomKey, knownRowKeys == nil else { return knownRowKeys }
        knownRowKeys = try RowKeys(key: randomKey, numbers: layout.rowNumbers, device: device)
        return knownRowKeys
    }

    /// Bool `[queries, keys]`: true where query i may see key j. The queries are the last of the keys' positions.
    func visible(queries: Int, keys: Int, window: Int?) throws -> Tensor {
        let key = MaskKey(queries: queries, keys: keys, window: window ?? 0)
        if let mask = masks[key] { return mask }
        let mask = try withoutGradient {
            let row = try (Tensor.range(queries, device: device) + Double(keys - queries)).to(.int64).unsqueezed(1)
            let column = try Tensor.range(keys, device: device).unsqueezed(0)
            var mask = try column.isLessOrEqual(row)
            if let window { mask = try mask.and((row + Double(-window)).isLess(than: column)) }
            return mask
        }
        masks[key] = mask
        return mask
    }

    /// The opposite of ``visible(queries:keys:window:)``.
    func hidden(queries: Int, keys: Int, window: Int?) throws -> Tensor {
        try withoutGradient { try visible(queries: queries, keys: keys, window: window).logicalNot() }
    }
}
