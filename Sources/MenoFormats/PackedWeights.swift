/// How a tensor's values are packed in a file, row by row.
package struct PackedBlocks: Sendable, Hashable {
    /// The type's name: `Q4_K`, …
    package var type: String
    /// Values and bytes of a block; every row is a multiple of a block.
    package var elements: Int
    package var bytes: Int
}

/// Weights of which some are packed and can be read in packed form.
package protocol PackedWeightSource: WeightSource {
    /// How a tensor's values are packed; `nil` if they are plain numbers or there is no such tensor.
    func packing(of name: String) -> PackedBlocks?

    /// Copies a tensor's bytes as they are.
    /// - Parameter destination: exactly that many bytes.
    /// - Throws: ``FormatError`` when there is no such tensor or the size is wrong.
    func readPacked(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws

    /// Copies some of a tensor's bytes, counted from its first.
    /// - Parameter destination: exactly that many bytes.
    /// - Throws: as ``readPacked(_:into:)``, and if the range is outside of the tensor.
    func readPacked(_ name: String, bytes: Range<Int>, into destination: UnsafeMutableRawBufferPointer) throws
}

extension GGUFFile: PackedWeightSource {
    package func packing(of name: String) -> PackedBlocks? {
        guard let type = tensor(named: name)?.type, type.storage != nil else { return nil }
        // float16 counts as packed, since it is not bfloat16.
        if type == .F16 { return PackedBlocks(type: type.name, elements: 32, bytes: 64) }
        return type.block.elements > 1
            ? PackedBlocks(type: type.name, elements: type.block.elements, bytes: type.block.bytes) : nil
    }

    package func readPacked(_ name: String, into destination: UnsafeMutableRawBufferPointer) throws {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        try readPacked(name, bytes: 0..<max(tensor.bytes.count, destination.count), into: destination)
    }

    package func readPacked(
        _ name: String, bytes: Range<Int>, into destination: UnsafeMutableRawBufferPointer
    ) throws {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        guard destination.count == bytes.count, bytes.upperBound <= tensor.bytes.count else {
            throw FormatError(
                .malformed, at: file.path,
                "tensor '\(name)' \(tensor.shape) has \(tensor.bytes.count) bytes as \(tensor.type.name), but the destination "
                    + "holds \(destination.count).",
                advice:
                    "The configuration and the weights disagree about this tensor's shape: use files of the same model."
            )
        }
        let first = tensor.bytes.lowerBound + bytes.lowerBound
        part(of: name).copy(first..<first + bytes.count, into: destination)
    }
}
