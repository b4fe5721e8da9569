/// Reads the part of a GGUF file before the tensor data, and checks it against the file.
///
/// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
struct GGUFParser {
    /// ggml's `GGML_MAX_DIMS`.
    static let dimensionLimit = 4
    /// The deepest nesting of arrays; no known key needs more than two levels.
    private static let depthLimit = 4
    static let defaultAlignment = 32

    let version: Int
    let metadata: GGUFMetadata
    let alignment: Int
    private(set) var tensors: [GGUFTensor] = []
    private(set) var indices: [String: Int] = [:]

    init(parsing file: MemoryMappedFile, _ bytes: UnsafeRawBufferPointer) throws {
        let path = file.path
        guard bytes.starts(with: GGUFFile.magic) else {
            throw FormatError(.malformed, at: path, "is not a GGUF file: it does not begin with 'GGUF'.")
        }
        var reader = ByteReader(bytes, path: path, offset: GGUFFile.magic.count)
        version = try Self.version(&reader)
        let tensorCount = try reader.count(minimumSize: 24, "the number of tensors")
        let metadataCount = try reader.count(minimumSize: 13, "the number of metadata entries")
        metadata = try Self.metadata(&reader, count: metadataCount, file: file)
        alignment = try Self.alignment(metadata, path: path)
        var offsets: [UInt64] = []
        for index in 0..<tensorCount {
            let (tensor, offset) = try Self.tensor(&reader, index: index)
            guard indices.updateValue(index, forKey: tensor.name) == nil else {
                throw FormatError(
                    .malformed, at: path, "tensor '\(tensor.name)' appears twice.", advice: FormatError.damaged)
            }
            tensors.append(tensor)
            offsets.append(offset)
        }
        try place(offsets, dataStart: reader.offset, fileSize: bytes.count, path: path)
    }

    private static func version(_ reader: inout ByteReader) throws -> Int {
        let version: UInt32 = try reader.integer("the version")
        guard version == 2 || version == 3 else {
            let isSwapped = version.byteSwapped == 2 || version.byteSwapped == 3
            throw FormatError(
                .unsupported, at: reader.path,
                isSwapped ? "is a big-endian GGUF file." : "is a GGUF file of version \(version).",
                advice:
                    "Only little-endian files of versions 2 and 3 are supported. Download or convert a newer file of the model."
            )
        }
        return Int(version)
    }

    // MARK: Metadata

    private static func metadata(
        _ reader: inout ByteReader, count: Int, file: MemoryMappedFile
    ) throws -> GGUFMetadata {
        var keys: [String] = []
        var values: [String: GGUFValue] = [:]
        for index in 0..<count {
            let key = try reader.string("the key of metadata entry \(index)")
            let type = try valueType(&reader, "metadata '\(key)'")
            let value: GGUFValue =
                type == .array
                ? .array(try array(&reader, key: key, file: file, depth: 1))
                : try value(of: type, &reader, "metadata '\(key)'", file: file, depth: 0)
            guard values.updateValue(value, forKey: key) == nil else {
                throw FormatError(
                    .malformed, at: reader.path, "metadata '\(key)' appears twice.", advice: FormatError.damaged)
            }
            keys.append(key)
        }
        return GGUFMetadata(keys: keys, values: values, path: file.path)
    }

    private static func valueType(_ reader: inout ByteReader, _ what: @autoclosure () -> String) throws -> GGUFValueType
    {
        let place = reader.offset
        let number: UInt32 = try reader.integer("the type of \(what())")
        guard let type = GGUFValueType(rawValue: number) else {
            throw FormatError(
                .malformed, at: reader.path, "\(what()) at byte \(place) has the unknown type \(number).",
                advice: FormatError.damaged)
        }
        return type
    }

    /// Decodes one value.
    static func value(
        of type: GGUFValueType, _ reader: inout ByteReader, _ what: @autoclosure () -> String, file: MemoryMappedFile,
        depth: Int
    ) throws -> GGUFValue {
        switch type {
        case .uint8: return .uint8(try reader.integer(what()))
        case .int8: return .int8(try reader.integer(what()))
        case .uint16: return .uint16(try reader.integer(what()))
        case .int16: return .int16(try reader.integer(what()))
        case .uint32: return .uint32(try reader.integer(what()))
        case .int32: return .int32(try reader.integer(what()))
        case .uint64: return .uint64(try reader.integer(what()))
        case .int64: return .int64(try reader.integer(what()))
        case .float32: return .float32(Float(bitPattern: try reader.integer(what())))
        case .float64: return .float64(Double(bitPattern: try reader.integer(what())))
        case .string: return .string(try reader.string(what()))
        case .array: return .array(try array(&reader, key: what(), file: file, depth: depth + 1))
        case .bool:
            let place = reader.offset
            let byte: UInt8 = try reader.integer(what())
            guard byte <= 1 else {
                throw FormatError(
                    .malformed, at: reader.path,
                    "\(what()) at byte \(place) is the boolean \(byte); expected 0 or 1.", advice: FormatError.damaged)
            }
            return .bool(byte == 1)
        }
    }

    /// Finds the end of an array without decoding it.
    private static func array(
        _ reader: inout ByteReader, key: String, file: MemoryMappedFile, depth: Int
    ) throws -> GGUFArray {
        guard depth <= depthLimit else {
            throw FormatError(
                .malformed, at: reader.path, "metadata '\(key)' nests arrays more than \(depthLimit) deep.",
                advice: FormatError.damaged)
        }
        let elementType = try valueType(&reader, "the elements of metadata '\(key)'")
        let count = try reader.count(minimumSize: elementType.minimumSize, "the length of metadata '\(key)'")
        let start = reader.offset
        switch elementType {
        case .string:
            for index in 0..<count {
                let length = try reader.count(
                    minimumSize: 1, "the length of element \(index) of metadata '\(key)'")
                try reader.skip(length, "element \(index) of metadata '\(key)'")
            }
        case .array:
            for _ in 0..<count { _ = try array(&reader, key: key, file: file, depth: depth + 1) }
        default:
            // Cannot overflow: `count` was checked against the bytes that are left.
            try reader.skip(count * elementType.minimumSize, "metadata '\(key)'")
        }
        return GGUFArray(
            elementType: elementType, count: count, key: key, bytes: start..<reader.offset, file: file)
    }

    private static func alignment(_ metadata: GGUFMetadata, path: String) throws -> Int {
        let value = try metadata.int("general.alignment", default: nil) ?? defaultAlignment
        guard value > 0, value & (value - 1) == 0, value <= 1 << 30 else {
            throw FormatError(
                .malformed, at: path, "metadata 'general.alignment' is \(value); expected a power of two.",
                advice: FormatError.damaged)
        }
        return value
    }

    // MARK: Tensors

    private static func tensor(_ reader: inout ByteReader, index: Int) throws -> (GGUFTensor, UInt64) {
        let path = reader.path
        let name = try reader.string("the name of tensor \(index)")
        let dimensions: UInt32 = try reader.integer("the number of dimensions of tensor '\(name)'")
        guard dimensions <= UInt32(dimensionLimit) else {
            throw FormatError(
                .malformed, at: path,
                "tensor '\(name)' has \(dimensions) dimensions; at most \(dimensionLimit) are possible.",
                advice: FormatError.damaged)
        }
        var shape: [Int] = []
        for _ in 0..<dimensions {
            let dimension: UInt64 = try reader.integer("the shape of tensor '\(name)'")
            shape.insert(Int(clamping: dimension), at: 0)
        }
        let number: UInt32 = try reader.integer("the type of tensor '\(name)'")
        guard let type = GGUFTensorType(rawValue: number) else {
            throw FormatError(
                .unsupported, at: path, "tensor '\(name)' has the unknown type \(number).",
                advice: GGUFTensorType.advice)
        }
        guard checkedCount(shape) != nil else {
            throw FormatError(
                .malformed, at: path, "tensor '\(name)' has the shape \(shape), which is too large.",
                advice: FormatError.damaged)
        }
        let row = shape.last ?? 1
        guard row % type.block.elements == 0 else {
            throw FormatError(
                .malformed, at: path,
                "tensor '\(name)' \(shape) has rows of \(row) elements; \(type.name) needs a multiple of "
                    + "\(type.block.elements).",
                advice: FormatError.damaged)
        }
        let offset: UInt64 = try reader.integer("the offset of tensor '\(name)'")
        return (GGUFTensor(name: name, type: type, shape: shape, bytes: 0..<0), offset)
    }

    /// Locates each tensor's bytes.
    private mutating func place(_ offsets: [UInt64], dataStart end: Int, fileSize: Int, path: String) throws {
        // A file without tensors (a vocabulary) may end without padding.
        let padding = (alignment - end % alignment) % alignment
        let dataStart = end + padding
        for index in tensors.indices {
            let tensor = tensors[index]
            let offset = offsets[index]
            guard offset % UInt64(alignment) == 0 else {
                throw FormatError(
                    .malformed, at: path,
                    "tensor '\(tensor.name)' begins at byte \(offset) of the data, not at a multiple of \(alignment).",
                    advice: FormatError.damaged)
            }
            let blocks = tensor.count / tensor.type.block.elements
            let (size, overflow) = blocks.multipliedReportingOverflow(by: tensor.type.block.bytes)
            let available = max(0, fileSize - dataStart)
            guard !overflow, size <= available, offset <= UInt64(available - size) else {
                throw FormatError(
                    .malformed, at: path,
                    "tensor '\(tensor.name)' \(tensor.shape) of \(tensor.type.name) at byte \(offset) of the data "
                        + "reaches beyond the end of the file, whose data has \(available) bytes.",
                    advice: FormatError.damaged)
            }
            let start = dataStart + Int(offset)
            tensors[index].bytes = start..<start + size
        }
        let ordered = tensors.sorted {
            ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
        }
        for (first, second) in zip(ordered, ordered.dropFirst()) where first.bytes.upperBound > second.bytes.lowerBound
        {
            throw FormatError(
                .malformed, at: path, "tensors '\(first.name)' and '\(second.name)' overlap.",
                advice: FormatError.damaged)
        }
    }
}
