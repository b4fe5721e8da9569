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
        metadata = parsed.metadata
        alignment = parsed.alignment
        tensors = parsed.tensors
        indices = parsed.indices
        weights = parsed.tensors.map(\.info)
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
        try file.withUnsafeBytes(existing(name).bytes, body)
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
        file.convert(
            storage.bytes(of: elements, in: tensor.bytes), storage: storage, count: elements.count, as: elementType,
            into: destination)
    }

    private func existing(_ name: String) throws -> GGUFTensor {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        return tensor
    }
}
