package import Foundation

/// Writes a safetensors file, one tensor at a time: no more than one tensor need be in memory.
///
/// The same tensors and metadata always give the same bytes. As in the reference implementation, the header is padded
/// with spaces to a multiple of 8 bytes, and wider elements lie before narrower ones, so that every tensor is aligned
/// in the file; within one width the order is the caller's. The file appears under its name only when ``finish(synchronize:)``
/// succeeds; until then it is a hidden `.NAME.partial` beside it, removed when the writer is dropped.
///
/// ```swift
/// let writer = try SafetensorsWriter(to: url, tensors: [.init("a.weight", .float32, [2, 2])])
/// try writer.write("a.weight", [1, 2, 3, 4] as [Float])
/// try writer.finish(synchronize: true)
/// ```
package final class SafetensorsWriter {
    /// What a tensor is called and looks like.
    package struct Entry: Sendable, Hashable {
        package var name: String
        package var type: SafetensorsType
        /// Row-major, outermost dimension first.
        package var shape: [Int]

        package init(_ name: String, _ type: SafetensorsType, _ shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    /// The bytes the file will have.
    package let fileSize: Int

    private let file: StagedFile
    private var places: TensorPlaces

    /// Creates the file and writes its header.
    /// - Parameters:
    ///   - tensors: every tensor that will be written.
    ///   - metadata: the header's `__metadata__`; left out when empty. Hugging Face expects `["format": "pt"]`.
    /// - Throws: ``FormatError``: `malformed` for repeated names or impossible shapes, `inputOutput` when the system
    ///   refuses.
    package init(to url: URL, tensors: [Entry], metadata: [String: String] = [:]) throws {
        places = TensorPlaces(path: url.path)
        // `sort` keeps equal elements in order.
        let ordered = tensors.enumerated().sorted {
            ($1.element.type.size, $0.offset) < ($0.element.type.size, $1.offset)
        }.map(\.element)
        var header = "{"
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.quote($0.key)):\(Self.quote($0.value))" }
            header += "\"__metadata__\":{\(pairs.joined(separator: ","))}"
        }
        var end = 0
        for entry in ordered {
            let size = checkedCount(entry.shape)?.multipliedReportingOverflow(by: entry.type.size)
            guard let size, !size.overflow, case let next = end.addingReportingOverflow(size.partialValue),
                !next.overflow
            else { throw Self.invalid(url, "tensor '\(entry.name)' cannot have the shape \(entry.shape).") }
            guard entry.name != "__metadata__", !places.contains(entry.name) else {
                throw Self.invalid(url, "the tensor name '\(entry.name)' is invalid or used twice.")
            }
            let shape = entry.shape.map(String.init).joined(separator: ",")
            header += header.utf8.count > 1 ? "," : ""
            header += "\(Self.quote(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],"
            header += "\"data_offsets\":[\(end),\(next.partialValue)]}"
            places.add(entry.name, offset: end, size: size.partialValue)
            end = next.partialValue
        }
        header += "}"
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        let start = 8 + header.utf8.count
        guard header.utf8.count <= SafetensorsHeader.sizeLimit, end <= Int.max - start else {
            throw Self.invalid(url, "\(tensors.count) tensors are too many for one file.")
        }
        fileSize = start + end
        places.shift(by: start)
        file = try StagedFile(url)
        var bytes: [UInt8] = []
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: header.utf8)
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }

    /// Writes a whole tensor; tensors may come in any order.
    /// - Parameter bytes: the elements, row-major and little-endian.
    package func write(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        try write(name, bytes, at: 0)
    }

    /// Writes a whole tensor from an array, for example `[Float]` for `F32` or `[UInt16]` for `BF16`.
    package func write<Element: BitwiseCopyable>(_ name: String, _ elements: [Element]) throws {
        try elements.withUnsafeBytes { try write(name, $0, at: 0) }
    }

    /// Writes a part of a tensor; parts must come one after another.
    /// - Parameter offset: the bytes of this tensor that were written before.
    package func write(_ name: String, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        guard !file.isFinished else { throw places.invalid("is finished; nothing more can be written.") }
        try file.write(bytes, at: places.start(name, count: bytes.count, at: offset))
        places.wrote(name, count: bytes.count)
    }

    /// Completes the file and gives it its name, replacing what had it.
    /// - Parameter synchronize: whether to wait until the bytes and the name are on the disk (`fsync`).
    /// - Throws: ``FormatError`` when a tensor was not written wholly, or the system refuses.
    package func finish(synchronize: Bool = false) throws {
        guard !file.isFinished else { throw places.invalid("is finished already.") }
        try places.requireAll()
        try file.finish(synchronize ? .name : .none)
    }

    private static func invalid(_ url: URL, _ message: String) -> FormatError {
        FormatError(.malformed, at: url.path, message)
    }

    private static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
