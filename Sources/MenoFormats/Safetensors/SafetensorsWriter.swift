public import Foundation

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
public final class SafetensorsWriter {
    /// What a tensor is called and looks like.
    public struct Entry: Sendable, Hashable {
        public var name: String
        public var type: SafetensorsType
        /// Row-major, outermost dimension first.
        public var shape: [Int]

        public init(_ name: String, _ type: SafetensorsType, _ shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }
    }

    /// The bytes the file will have.
    public let fileSize: Int

    private struct Place {
        var offset: Int
        var size: Int
        var written = 0
    }

    private let target: URL
    private let partial: URL
    private var descriptor: Int32
    private var places: [String: Place] = [:]
    private var order: [String] = []

    /// Creates the file and writes its header.
    /// - Parameters:
    ///   - tensors: every tensor that will be written.
    ///   - metadata: the header's `__metadata__`; left out when empty. Hugging Face expects `["format": "pt"]`.
    /// - Throws: ``FormatError``: `malformed` for repeated names or impossible shapes, `inputOutput` when the system
    ///   refuses.
    public init(to url: URL, tensors: [Entry], metadata: [String: String] = [:]) throws {
        target = url
        partial = url.deletingLastPathComponent().appending(path: ".\(url.lastPathComponent).partial")
        descriptor = -1
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
            guard entry.name != "__metadata__", places[entry.name] == nil else {
                throw Self.invalid(url, "the name '\(entry.name)' cannot be given to a tensor (twice).")
            }
            let shape = entry.shape.map(String.init).joined(separator: ",")
            header += header.utf8.count > 1 ? "," : ""
            header += "\(Self.quote(entry.name)):{\"dtype\":\"\(entry.type.rawValue)\",\"shape\":[\(shape)],"
            header += "\"data_offsets\":[\(end),\(next.partialValue)]}"
            places[entry.name] = Place(offset: end, size: size.partialValue)
            order.append(entry.name)
            end = next.partialValue
        }
        header += "}"
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        let start = 8 + header.utf8.count
        guard header.utf8.count <= SafetensorsHeader.sizeLimit, end <= Int.max - start else {
            throw Self.invalid(url, "\(tensors.count) tensors are too many for one file.")
        }
        fileSize = start + end
        for name in order { places[name]!.offset += start }
        try create(header)
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(partial.path)
    }

    /// Writes a whole tensor; tensors may come in any order.
    /// - Parameter bytes: the elements, row-major and little-endian.
    public func write(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        try write(name, bytes, at: 0)
    }

    /// Writes a whole tensor from an array, for example `[Float]` for `F32` or `[UInt16]` for `BF16`.
    public func write<Element: BitwiseCopyable>(_ name: String, _ elements: [Element]) throws {
        try elements.withUnsafeBytes { try write(name, $0, at: 0) }
    }

    /// Writes a part of a tensor; parts must come one after another.
    /// - Parameter offset: the bytes of this tensor that were written before.
    public func write(_ name: String, _ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        guard descriptor >= 0 else { throw Self.invalid(target, "is finished; nothing more can be written.") }
        guard let place = places[name] else { throw Self.invalid(target, "was not announced to hold '\(name)'.") }
        guard offset == place.written, bytes.count <= place.size - place.written else {
            throw Self.invalid(
                target,
                "tensor '\(name)' has \(place.size) bytes, \(place.written) of them written; "
                    + "\(bytes.count) at byte \(offset) do not fit.")
        }
        try writeAll(bytes, at: place.offset + offset)
        places[name]!.written += bytes.count
    }

    /// Completes the file and gives it its name, replacing what had it.
    /// - Parameter synchronize: whether to wait until the bytes and the name are on the disk (`fsync`).
    /// - Throws: ``FormatError`` when a tensor was not written wholly, or the system refuses.
    public func finish(synchronize: Bool = false) throws {
        guard descriptor >= 0 else { throw Self.invalid(target, "is finished already.") }
        for name in order where places[name]!.written < places[name]!.size {
            throw Self.invalid(target, "tensor '\(name)' was not written wholly.")
        }
        if synchronize, fsync(descriptor) != 0 { throw refusal("cannot be written to the disk") }
        let closed = close(descriptor)
        descriptor = -1
        guard closed == 0, rename(partial.path, target.path) == 0 else {
            let error = refusal("cannot be completed")
            unlink(partial.path)
            throw error
        }
        guard synchronize else { return }
        let folder = open(target.deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw refusal("its folder cannot be opened") }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw refusal("its name cannot be written to the disk") }
    }

    private func create(_ header: String) throws {
        descriptor = open(partial.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw refusal("cannot be created") }
        var bytes: [UInt8] = []
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: header.utf8)
        try bytes.withUnsafeBytes { try writeAll($0, at: 0) }
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer, at start: Int) throws {
        var done = 0
        while done < bytes.count {
            // The system takes less than 2 GiB at once.
            let step = min(bytes.count - done, 1 << 30)
            let written = pwrite(descriptor, bytes.baseAddress! + done, step, off_t(start + done))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw refusal("cannot be written") }
            done += written
        }
    }

    private func refusal(_ what: String) -> FormatError {
        FormatError(.inputOutput, path: target.path, "\(what): \(String(cString: strerror(errno))).")
    }

    private static func invalid(_ url: URL, _ message: String) -> FormatError {
        FormatError(.malformed, path: url.path, message)
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
