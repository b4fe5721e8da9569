package import Foundation

/// A GGUF file (version 2 or 3), memory-mapped: opening reads metadata and tensor descriptions only.
///
/// Both are checked wholly when the file is opened; arrays of metadata are decoded when they are asked for, tensors
/// when they are read. Dequantised float32 values are those of the `gguf` Python package, bit for bit (of NaN only
/// that it is NaN); bfloat16 and float16 are these values, rounded to nearest even.
package final class GGUFFile: WeightSource {
    /// The first bytes of every GGUF file.
    static let magic = Array("GGUF".utf8)

    /// The file that is mapped.
    package let file: MemoryMappedFile
    /// The version of the format: 2 or 3.
    package let version: Int
    package let metadata: GGUFMetadata
    /// The alignment of tensors within the data, in bytes.
    package let alignment: Int
    /// Every tensor, in the file's order.
    package let tensors: [GGUFTensor]
    package let weights: [WeightInfo]
    private let indices: [String: Int]
    /// Where a model is divided, the files beside the first, and the tensors of the first.
    private let otherParts: [MemoryMappedFile]
    /// The number of the first tensor of each other part.
    private let starts: [Int]

    /// Opens and checks a file.
    /// - Throws: ``FormatError``, with the key or the tensor and what is wrong with it.
    package convenience init(contentsOf url: URL) throws {
        try self.init(MemoryMappedFile(contentsOf: url))
    }

    /// Checks a file that is mapped already.
    package init(_ file: MemoryMappedFile) throws {
        self.file = file
        let parsed = try file.withUnsafeBytes { try GGUFParser(parsing: file, $0) }
        version = parsed.version
        alignment = parsed.alignment
        let others = try Self.otherParts(of: file, parsed.metadata)
        otherParts = others.map(\.file)
        var (tensors, indices, starts) = (parsed.tensors, parsed.indices, [Int]())
        for (part, parsed) in others {
            starts.append(tensors.count)
            for tensor in parsed.tensors {
                guard indices.updateValue(tensors.count, forKey: tensor.name) == nil else {
                    throw FormatError(
                        .malformed, at: part.path, "tensor '\(tensor.name)' is also in another part.",
                        advice: FormatError.damaged)
                }
                tensors.append(tensor)
            }
        }
        if !others.isEmpty, let count = try parsed.metadata.int("split.tensors.count", default: nil),
            count != tensors.count
        {
            throw FormatError(
                .malformed, at: file.path, "announces \(count) tensors; its parts have \(tensors.count).",
                advice: FormatError.damaged)
        }
        // Together the parts are one file, as which it may be written again.
        metadata = others.isEmpty ? parsed.metadata : parsed.metadata.without { $0.hasPrefix("split.") }
        (self.tensors, self.indices, self.starts) = (tensors, indices, starts)
        weights = tensors.map(\.info)
    }

    /// The tensor of this name, or `nil`.
    package func tensor(named name: String) -> GGUFTensor? {
        indices[name].map { tensors[$0] }
    }

    package func weight(named name: String) -> WeightInfo? {
        indices[name].map { weights[$0] }
    }

    /// Lends the stored (quantised) bytes of a tensor, valid only while `body` runs.
    /// - Throws: ``FormatError`` `notFound` when there is no such tensor; what `body` throws.
    package func withUnsafeBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try part(of: name).withUnsafeBytes(existing(name).bytes, body)
    }

    package func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws {
        let tensor = try existing(name)
        guard let storage = tensor.type.storage else {
            throw FormatError(
                .unsupported, at: file.path, "tensor '\(name)' is quantised as \(tensor.type.name).",
                advice: GGUFTensorType.advice)
        }
        try tensor.info.check(elements, destination, as: elementType, path: file.path)
        part(of: name).convert(
            storage.bytes(of: elements, in: tensor.bytes), storage: storage, count: elements.count, as: elementType,
            into: destination)
    }

    /// The file that has a tensor's bytes.
    func part(of name: String) -> MemoryMappedFile {
        guard let index = indices[name], let part = starts.lastIndex(where: { $0 <= index }) else { return file }
        return otherParts[part]
    }

    private func existing(_ name: String) throws -> GGUFTensor {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        return tensor
    }
}
