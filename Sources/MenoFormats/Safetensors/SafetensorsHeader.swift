/// The header of a safetensors file, checked against the file.
///
/// Layout (https://huggingface.co/docs/safetensors): the header's length (64 bits, little-endian), the header as
/// JSON, then the tensors' bytes, which cover the rest of the file without holes or overlaps.
struct SafetensorsHeader {
    /// The longest header that is read; the limit of the reference implementation.
    static let sizeLimit = 100_000_000

    private(set) var metadata: [String: String] = [:]
    /// In the order of the header.
    private(set) var tensors: [SafetensorsTensor] = []
    private(set) var indices: [String: Int] = [:]

    private let path: String
    private let dataStart: Int
    private let fileSize: Int

    init(parsing file: UnsafeRawBufferPointer, path: String) throws {
        self.path = path
        fileSize = file.count
        var reader = ByteReader(file, path: path)
        let length: UInt64 = try reader.integer("the length of the header")
        guard length <= UInt64(Self.sizeLimit) else {
            throw FormatError(
                .malformed, at: path,
                "the header claims \(length) bytes; at most \(Self.sizeLimit) are read.",
                advice: "The file is not in safetensors format, or it is damaged.")
        }
        let start = reader.offset
        try reader.skip(Int(length), "the header of \(length) bytes")
        dataStart = reader.offset
        let text = UnsafeRawBufferPointer(rebasing: file[start..<dataStart])
        var scanner = JSONScanner(text, path: path, name: "header")
        try scanner.object { scanner, name in
            if name == "__metadata__" {
                try parseMetadata(&scanner)
            } else {
                try parseTensor(&scanner, name)
            }
        }
        try scanner.end()
        try checkLayout()
    }

    private mutating func parseMetadata(_ scanner: inout JSONScanner) throws {
        guard try scanner.kind() == .object else { return try scanner.skip() }
        try scanner.object { scanner, key in
            guard try scanner.kind() == .string else {
                throw scanner.malformed("'__metadata__' may only contain strings, but '\(key)' is not one.")
            }
            metadata[key] = try scanner.string()
        }
    }

    private mutating func parseTensor(_ scanner: inout JSONScanner, _ name: String) throws {
        let place = scanner.offset
        guard indices[name] == nil else { throw scanner.malformed("tensor '\(name)' appears twice.", at: place) }
        guard try scanner.kind() == .object else {
            throw scanner.malformed("tensor '\(name)' is not described by an object.", at: place)
        }
        var typeName: String?
        var shape: [Int]?
        var offsets: [Int]?
        try scanner.object { scanner, key in
            switch key {
            case "dtype": typeName = try scanner.string()
            case "shape": shape = try Self.counts(&scanner)
            case "data_offsets": offsets = try Self.counts(&scanner)
            default: try scanner.skip()
            }
        }
        guard let typeName, let shape, let offsets else {
            let missing = typeName == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
            throw scanner.malformed("tensor '\(name)' has no '\(missing)'.", at: place)
        }
        guard let type = SafetensorsType(rawValue: typeName) else {
            throw FormatError(
                .unsupported, at: path, "tensor '\(name)' has the unknown dtype '\(typeName)'.",
                advice: "Known are \(SafetensorsType.names).")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw malformed("tensor '\(name)' has data_offsets \(offsets); expected [begin, end] with begin ≤ end.")
        }
        guard offsets[1] <= fileSize - dataStart else {
            throw malformed(
                "tensor '\(name)' ends at byte \(offsets[1]) of the data, which has only \(fileSize - dataStart).")
        }
        let size = checkedCount(shape)?.multipliedReportingOverflow(by: type.size)
        guard let size, !size.overflow else {
            throw malformed("tensor '\(name)' has the shape \(shape), which is too large to exist.")
        }
        guard size.partialValue == offsets[1] - offsets[0] else {
            throw malformed(
                "tensor '\(name)' with shape \(shape) of \(typeName) needs \(size.partialValue) bytes, "
                    + "but data_offsets give it \(offsets[1] - offsets[0]).")
        }
        indices[name] = tensors.count
        tensors.append(
            SafetensorsTensor(
                name: name, type: type, shape: shape, bytes: dataStart + offsets[0]..<dataStart + offsets[1]))
    }

    private static func counts(_ scanner: inout JSONScanner) throws -> [Int] {
        var values: [Int] = []
        try scanner.array { scanner in values.append(try scanner.count()) }
        return values
    }

    /// Tensors must cover the data exactly, as the reference implementation demands.
    private func checkLayout() throws {
        let ordered = tensors.sorted {
            ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
        }
        var end = dataStart
        var previous: SafetensorsTensor?
        for tensor in ordered {
            let begin = tensor.bytes.lowerBound
            if begin < end, let previous {
                throw malformed(
                    "tensors '\(previous.name)' and '\(tensor.name)' overlap at byte \(begin - dataStart) of the data.")
            }
            if begin > end {
                throw malformed(
                    "bytes \(end - dataStart)..<\(begin - dataStart) of the data, before tensor '\(tensor.name)', "
                        + "belong to no tensor.")
            }
            end = tensor.bytes.upperBound
            previous = tensor
        }
        guard end == fileSize else {
            throw malformed("the last \(fileSize - end) bytes of the file belong to no tensor.")
        }
    }

    private func malformed(_ message: String) -> FormatError {
        FormatError(.malformed, at: path, message, advice: FormatError.damaged)
    }
}
