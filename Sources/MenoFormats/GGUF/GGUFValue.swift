/// The types of GGUF metadata, with their identifiers in the file.
package enum GGUFValueType: UInt32, Sendable, Hashable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// The size of a value in bytes, or the smallest size: a string's length, or an array's element type and length.
    var minimumSize: Int {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64, .string: 8
        case .array: 12
        }
    }

    var hasFixedSize: Bool { self != .string && self != .array }
}

/// A value of GGUF metadata.
package enum GGUFValue: Sendable {
    case uint8(UInt8)
    case int8(Int8)
    case uint16(UInt16)
    case int16(Int16)
    case uint32(UInt32)
    case int32(Int32)
    case float32(Float)
    case bool(Bool)
    case string(String)
    case array(GGUFArray)
    case uint64(UInt64)
    case int64(Int64)
    case float64(Double)

    package var type: GGUFValueType {
        switch self {
        case .uint8: .uint8
        case .int8: .int8
        case .uint16: .uint16
        case .int16: .int16
        case .uint32: .uint32
        case .int32: .int32
        case .float32: .float32
        case .bool: .bool
        case .string: .string
        case .array: .array
        case .uint64: .uint64
        case .int64: .int64
        case .float64: .float64
        }
    }

    /// The value as an integer, if it is one that fits.
    var integer: Int? {
        switch self {
        case .uint8(let value): Int(value)
        case .int8(let value): Int(value)
        case .uint16(let value): Int(value)
        case .int16(let value): Int(value)
        case .uint32(let value): Int(value)
        case .int32(let value): Int(value)
        case .uint64(let value): Int(exactly: value)
        case .int64(let value): Int(exactly: value)
        case .float32, .float64, .bool, .string, .array: nil
        }
    }

    /// The value as a floating-point number, if it is a number.
    var number: Double? {
        switch self {
        case .float32(let value): Double(value)
        case .float64(let value): value
        case .uint64(let value): Double(value)
        default: integer.map { Double($0) }
        }
    }

    /// The type of the value, for messages.
    var typeDescription: String {
        guard case .array(let array) = self else { return "\(type)" }
        return "an array of \(array.count) × \(array.elementType)"
    }
}

/// An array in GGUF metadata, whose elements are decoded on access.
package struct GGUFArray: Sendable {
    package let elementType: GGUFValueType
    package let count: Int
    let key: String
    /// The range of its elements' bytes, counted from the start of the file.
    let bytes: Range<Int>
    let file: MemoryMappedFile

    /// Decodes the elements.
    /// - Parameter limit: the most elements to decode.
    /// - Throws: ``FormatError`` when a string is not UTF-8 or a boolean is neither 0 nor 1.
    package func values(limit: Int = .max) throws -> [GGUFValue] {
        try decode(limit: limit) { reader, place in
            try GGUFParser.value(of: elementType, &reader, place(), file: file, depth: 1)
        }
    }

    /// Decodes an array of strings.
    func strings() throws -> [String] {
        try decode { reader, place in try reader.string(place()) }
    }

    func decode<Element>(
        limit: Int = .max, _ element: (inout ByteReader, () -> String) throws -> Element
    ) throws -> [Element] {
        try file.withUnsafeBytes { all in
            // Reading stays inside the array's bytes, even if the file has changed since it was checked.
            let part = UnsafeRawBufferPointer(rebasing: all[..<bytes.upperBound])
            var reader = ByteReader(part, path: file.path, offset: bytes.lowerBound)
            var result: [Element] = []
            let count = max(0, min(limit, count))
            result.reserveCapacity(count)
            for index in 0..<count {
                result.append(try element(&reader) { "element \(index) of metadata '\(key)'" })
            }
            return result
        }
    }
}
