/// Safetensors files with some weights in MXFP4, each stored as in gpt-oss in two tensors: `NAME_blocks` `[…, groups, 16]`, with
/// the low nibble of a byte first, and `NAME_scales` `[…, groups]`. They are read as `NAME` `[…, 32 · groups]`.
final class MicroscaledWeights: WeightSource {
    static let storage = "MXFP4"
    private static let (blocksEnding, scalesEnding) = ("_blocks", "_scales")

    let weights: [WeightInfo]
    private let source: any WeightSource
    private let bytes: any StoredBytes
    private let indices: [String: Int]

    /// - Returns: `nil` where there are none.
    init?(_ source: any WeightSource) {
        guard let bytes = source as? any StoredBytes else { return nil }
        var found = false
        var weights: [WeightInfo] = []
        for info in source.weights {
            if info.name.hasSuffix(Self.scalesEnding),
                source.weight(named: info.name.dropLast(Self.scalesEnding.count) + Self.blocksEnding) != nil
            {
                continue
            }
            let name = String(info.name.dropLast(Self.blocksEnding.count))
            guard info.name.hasSuffix(Self.blocksEnding), info.storage == "U8", info.shape.count > 2,
                info.shape.last == 16, let scales = source.weight(named: name + Self.scalesEnding),
                scales.storage == "U8", scales.shape == Array(info.shape.dropLast())
            else {
                weights.append(info)
                continue
            }
            found = true
            let shape = info.shape.dropLast(2) + [info.shape[info.shape.count - 2] * 32]
            weights.append(WeightInfo(name: name, shape: Array(shape), storage: Self.storage))
        }
        guard found else { return nil }
        self.weights = weights
        self.source = source
        self.bytes = bytes
        indices = Dictionary(
            weights.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    func weight(named name: String) -> WeightInfo? { indices[name].map { weights[$0] } }

    func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws {
        guard let info = weight(named: name), info.storage == Self.storage else {
            return try source.read(name, elements: elements, as: elementType, into: destination)
        }
        try info.check(elements, destination, as: elementType, path: name)
        let first = elements.lowerBound / 32
        let groups = first..<(elements.upperBound + 31) / 32
        let decoded = try bytes.withStoredBytes(of: name + Self.blocksEnding) { blocks in
            try bytes.withStoredBytes(of: name + Self.scalesEnding) { Self.decoded(groups, blocks, scales: $0) }
        }
        decoded.withUnsafeBufferPointer { values in
            let start = elements.lowerBound - first * 32
            let part = UnsafeBufferPointer(rebasing: values[start..<start + elements.count])
            ElementConversion.convert(
                UnsafeRawBufferPointer(part), storage: .float32, count: elements.count, as: elementType,
                into: destination)
        }
    }

    private static func decoded(
        _ groups: Range<Int>, _ blocks: UnsafeRawBufferPointer, scales: UnsafeRawBufferPointer
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: groups.count * 32) { output, initialized in
            for (index, group) in groups.enumerated() {
                let scale = Microscaled.scale(scales[group])
                for place in 0..<16 {
                    let pair = blocks[group * 16 + place]
                    output[index * 32 + 2 * place] = scale * Microscaled.values[Int(pair & 0x0F)]
                    output[index * 32 + 2 * place + 1] = scale * Microscaled.values[Int(pair >> 4)]
                }
            }
            initialized = groups.count * 32
        }
    }
}

/// Weights whose stored bytes can be accessed.
protocol StoredBytes: Sendable {
    func withStoredBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result
}

extension SafetensorsFile: StoredBytes {
    func withStoredBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result { try withUnsafeBytes(of: name, body) }
}

extension ShardedSafetensors: StoredBytes {
    func withStoredBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result { try shard(of: name).withUnsafeBytes(of: name, body) }
}
