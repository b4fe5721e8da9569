package import Foundation

/// Writes a GGUF file (version 3), one tensor at a time, with only a part of a tensor in memory.
///
/// The same metadata and tensors always give the same bytes. The file appears under its name only when
/// ``finish(synchronize:)`` succeeds; until then it is a hidden `.NAME.partial` next to it.
package final class GGUFWriter {
    /// The name, type and shape of a tensor.
    package struct Entry: Sendable, Hashable {
        package var name: String
        package var type: GGUFTensorType
        /// Row-major, outermost dimension first.
        package var shape: [Int]

        package init(_ name: String, _ type: GGUFTensorType, _ shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        /// The size of its data in bytes; `nil` if such a tensor is impossible.
        package var size: Int? {
            guard let count = checkedCount(shape), (shape.last ?? 1) % type.block.elements == 0 else { return nil }
            let size = (count / type.block.elements).multipliedReportingOverflow(by: type.block.bytes)
            return size.overflow ? nil : size.partialValue
        }
    }

    /// The size of the complete file in bytes.
    package let fileSize: Int

    private let file: StagedFile
    private var places: TensorPlaces

    /// Creates the file and writes everything except the tensors' data.
    /// - Parameters:
    ///   - metadata: in the order of the file. The alignment is `general.alignment`, or 32 if it is missing.
    ///   - tensors: every tensor that will be written, in the order of the file.
    /// - Throws: ``FormatError``: `malformed` for repeated names or impossible shapes, `inputOutput` if the system reports an
    ///   error.
    package init(to url: URL, metadata: [(key: String, value: GGUFValue)], tensors: [Entry]) throws {
        places = TensorPlaces(path: url.path)
        let alignment = try Self.alignment(metadata, places)
        var header = GGUFFile.magic
        header.append(integer: UInt32(3))
        header.append(integer: UInt64(tensors.count))
        header.append(integer: UInt64(metadata.count))
        var keys: Set<String> = []
        for (key, value) in metadata {
            guard keys.insert(key).inserted else { throw places.invalid("the metadata '\(key)' is given twice.") }
            header.append(string: key)
            header.append(integer: value.type.rawValue)
            value.encode(into: &header)
        }
        var end = 0
        for entry in tensors {
            guard let size = entry.size, entry.shape.count <= GGUFParser.dimensionLimit,
                case let next = end.addingReportingOverflow(size), !next.overflow, next.partialValue < Int.max / 2
            else {
                throw places.invalid(
                    "tensor '\(entry.name)' cannot have the shape \(entry.shape) in \(entry.type.name).")
            }
            guard !places.contains(entry.name) else { throw places.invalid("tensor '\(entry.name)' is given twice.") }
            header.append(string: entry.name)
            header.append(integer: UInt32(entry.shape.count))
            for dimension in entry.shape.reversed() { header.append(integer: UInt64(dimension)) }
            header.append(integer: entry.type.rawValue)
            header.append(integer: UInt64(end))
            places.add(entry.name, offset: end, size: size)
            end = Self.aligned(next.partialValue, alignment)
        }
        let start = Self.aligned(header.count, alignment)
        places.shift(by: start)
        fileSize = start + end
        file = try StagedFile(url)
        try header.withUnsafeBytes { try file.write($0, at: 0) }
        // Gaps between tensors are filled with zeros.
        try file.extend(to: fileSize)
    }

    /// Writes the next part of a tensor, as the file stores it; tensors may come in any order.
    package func write(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        guard !file.isFinished else { throw places.invalid("is finished; nothing more can be written.") }
        try file.write(bytes, at: places.start(name, count: bytes.count, at: places.written(name)))
        places.wrote(name, count: bytes.count)
    }

    /// Copies a complete tensor from another file, bit for bit.
    package func copy(_ source: GGUFTensor, of other: GGUFFile, as name: String) throws {
        // In parts, whose pages are released.
        let (step, origin) = (1 << 24, other.part(of: source.name))
        for start in stride(from: source.bytes.lowerBound, to: source.bytes.upperBound, by: step) {
            let part = start..<min(start + step, source.bytes.upperBound)
            try origin.withUnsafeBytes(part) { try write(name, $0) }
            origin.release(part)
        }
    }

    /// Completes the file and renames it, replacing any file with its name.
    /// - Parameter synchronize: whether to wait until the bytes and the name are on the disk (`fsync`).
    /// - Throws: ``FormatError`` if a tensor was not completely written or the system reports an error.
    package func finish(synchronize: Bool = false) throws {
        guard !file.isFinished else { throw places.invalid("is finished already.") }
        try places.requireAll()
        try file.finish(synchronize ? .name : .none)
    }

    private static func alignment(
        _ metadata: [(key: String, value: GGUFValue)], _ places: TensorPlaces
    ) throws -> Int {
        guard let value = metadata.first(where: { $0.key == "general.alignment" })?.value else {
            return GGUFParser.defaultAlignment
        }
        guard case .uint32(let number) = value, number >= 8, number & (number - 1) == 0, number <= 1 << 30 else {
            throw places.invalid("'general.alignment' must be a power of two of at least 8, as uint32.")
        }
        return Int(number)
    }

    private static func aligned(_ size: Int, _ alignment: Int) -> Int {
        (size + alignment - 1) / alignment * alignment
    }
}
