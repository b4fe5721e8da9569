/// How a tensor's values are packed in a file, row by row.
public struct PackedBlocks: Sendable, Hashable {
    /// The type's name: `Q4_K`, …
    public var type: String
    /// Values and bytes of a block; every row is a whole number of blocks.
    public var elements: Int
    public var bytes: Int
}

/// Weights of which some are packed, and can be taken as they are.
public protocol PackedWeightSource: WeightSource {
    /// How a tensor's values are packed; `nil` where each is a number of its own, or there is no such tensor.
    func packing(of name: String) -> PackedBlocks?

    /// Copies a tensor's bytes as they are.
    /// - Parameter destination: exactly as many bytes.
    /// - Throws: ``FormatError`` when there is no such tensor or the size is wrong.
    func readPacked(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws

    /// Copies some of a tensor's bytes, counted from its first.
    /// - Parameter destination: exactly as many bytes.
    /// - Throws: as ``readPacked(_:into:)``, and where the tensor does not have them.
    func readPacked(_ name: String, bytes: Range<Int>, into destination: UnsafeMutableRawBufferPointer) throws
}

extension GGUFFile: PackedWeightSource {
    public func packing(of name: String) -> PackedBlocks? {
        guard let type = tensor(named: name)?.type, type.storage != nil else { return nil }
        // Numbers of two bytes count as packed: they are no bfloat16.
        if type == .F16 { return PackedBlocks(type: type.name, elements: 32, bytes: 64) }
        return type.block.elements > 1
            ? PackedBlocks(type: type.name, elements: type.block.elements, bytes: type.block.bytes) : nil
    }

    public func readPacked(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        try readPacked(name, bytes: 0..<max(tensor.bytes.count, destination.count), into: destination)
    }

    public func readPacked(
        _ name: String, bytes: Range<Int>, into destination: UnsafeMutableRawBufferPointer
    ) throws {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        guard destination.count == bytes.count, bytes.upperBound <= tensor.bytes.count else {
            throw FormatError(
                .malformed, path: file.path,
                "tensor '\(name)' \(tensor.shape) has \(tensor.bytes.count) bytes as \(tensor.type.name), but the destination "
                    + "holds \(destination.count).",
                advice: "The configuration and the weights disagree about this tensor's shape.")
        }
        // Some at a time: pages of the file that were copied are given back before the next ones come in.
        let step = 1 << 24
        for start in stride(from: 0, to: destination.count, by: step) {
            let count = min(step, destination.count - start)
            let first = tensor.bytes.lowerBound + bytes.lowerBound + start
            let range = first..<first + count
            file.withUnsafeBytes(range) {
                destination.baseAddress?.advanced(by: start).copyMemory(from: $0.baseAddress!, byteCount: count)
            }
            file.release(range)
        }
    }
}
