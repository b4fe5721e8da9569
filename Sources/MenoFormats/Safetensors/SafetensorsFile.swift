package import Foundation

/// A safetensors file, memory-mapped: opening reads the header only.
///
/// The header is fully checked when the file is opened; afterwards only an invalid request can fail. Tensors need not be
/// aligned in the file (the format does not demand it).
package final class SafetensorsFile: WeightSource {
    /// The mapped file.
    package let file: MemoryMappedFile
    /// The header's `__metadata__`.
    package let metadata: [String: String]
    /// Every tensor, in the header's order.
    package let tensors: [SafetensorsTensor]
    package let weights: [WeightInfo]
    private let indices: [String: Int]

    /// Opens and checks a file.
    /// - Throws: ``FormatError`` that names the tensor and what is wrong with it.
    package convenience init(contentsOf url: URL) throws {
        try self.init(MemoryMappedFile(contentsOf: url))
    }

    /// Checks the header of a file that is already mapped.
    package init(_ file: MemoryMappedFile) throws {
        self.file = file
        let header = try file.withUnsafeBytes { try SafetensorsHeader(parsing: $0, path: file.path) }
        metadata = header.metadata
        tensors = header.tensors
        indices = header.indices
        weights = header.tensors.map(\.info)
    }

    /// The tensor of this name, or `nil`.
    package func tensor(named name: String) -> SafetensorsTensor? {
        indices[name].map { tensors[$0] }
    }

    package func weight(named name: String) -> WeightInfo? {
        indices[name].map { weights[$0] }
    }

    /// Passes the stored bytes of a tensor (little-endian, any alignment) to `body`; they are valid only while it runs.
    /// - Throws: ``FormatError`` with `notFound` if there is no such tensor, and any error of `body`.
    package func withUnsafeBytes<Result>(
        of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        try file.withUnsafeBytes(existing(name).bytes, body)
    }

    /// The stored elements of a tensor that is not a weight: steps, random states, masks.
    /// - Throws: ``FormatError`` when there is no such tensor or its elements have another size than `Element`.
    package func elements<Element: BitwiseCopyable>(_ name: String, as _: Element.Type) throws -> [Element] {
        let tensor = try existing(name)
        guard tensor.type.size == MemoryLayout<Element>.stride else {
            throw FormatError(
                .malformed, at: file.path,
                "tensor '\(name)' holds \(tensor.type.rawValue) elements of \(tensor.type.size) bytes; "
                    + "\(Element.self) has \(MemoryLayout<Element>.stride).")
        }
        return file.withUnsafeBytes(tensor.bytes) { bytes in
            [Element](unsafeUninitializedCapacity: tensor.count) { buffer, initialized in
                UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
                initialized = tensor.count
            }
        }
    }

    package func read(
        _ name: String, elements: Range<Int>, as elementType: WeightElementType,
        into destination: UnsafeMutableRawBufferPointer
    ) throws {
        let tensor = try existing(name)
        guard let storage = tensor.type.storage else {
            throw FormatError(
                .unsupported, at: file.path,
                "tensor '\(name)' holds \(tensor.type.rawValue), which cannot be read as weights.",
                advice: "Weights can be F64, F32, F16 or BF16.")
        }
        try tensor.info.check(elements, destination, as: elementType, path: file.path)
        file.convert(
            storage.bytes(of: elements, in: tensor.bytes), storage: storage, count: elements.count, as: elementType,
            into: destination)
    }

    private func existing(_ name: String) throws -> SafetensorsTensor {
        guard let tensor = tensor(named: name) else { throw FormatError.noTensor(name, path: file.path) }
        return tensor
    }
}

extension FormatError {
    static func noTensor(_ name: String, path: String) -> FormatError {
        FormatError(.notFound, at: path, "has no tensor '\(name)'.")
    }
}
