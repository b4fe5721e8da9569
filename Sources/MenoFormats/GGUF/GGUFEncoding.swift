// The encoding of metadata: integers are little-endian, a string is its length in bytes followed by UTF-8.

extension [UInt8] {
    mutating func append<Number: FixedWidthInteger>(integer: Number) {
        Swift.withUnsafeBytes(of: integer.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(string: String) {
        append(integer: UInt64(string.utf8.count))
        append(contentsOf: string.utf8)
    }
}

extension GGUFValue {
    /// Appends the value, without its type.
    func encode(into bytes: inout [UInt8]) {
        switch self {
        case .uint8(let value): bytes.append(value)
        case .int8(let value): bytes.append(integer: value)
        case .uint16(let value): bytes.append(integer: value)
        case .int16(let value): bytes.append(integer: value)
        case .uint32(let value): bytes.append(integer: value)
        case .int32(let value): bytes.append(integer: value)
        case .uint64(let value): bytes.append(integer: value)
        case .int64(let value): bytes.append(integer: value)
        case .float32(let value): bytes.append(integer: value.bitPattern)
        case .float64(let value): bytes.append(integer: value.bitPattern)
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .string(let value): bytes.append(string: value)
        case .array(let array): array.encode(into: &bytes)
        }
    }

    package static func strings(_ values: [String]) -> GGUFValue { array(.string, values.map { .string($0) }) }
    package static func floats(_ values: [Float]) -> GGUFValue { array(.float32, values.map { .float32($0) }) }
    package static func int32s(_ values: [Int]) -> GGUFValue {
        array(.int32, values.map { .int32(Int32(truncatingIfNeeded: $0)) })
    }

    /// An array of values, each of the element type.
    package static func array(_ elementType: GGUFValueType, _ values: [GGUFValue]) -> GGUFValue {
        precondition(values.allSatisfy { $0.type == elementType }, "an array holds values of one type")
        var bytes: [UInt8] = []
        for value in values { value.encode(into: &bytes) }
        let file = MemoryMappedFile(bytes: bytes, path: "an array in memory")
        return .array(
            GGUFArray(elementType: elementType, count: values.count, key: "", bytes: 0..<bytes.count, file: file))
    }
}

extension GGUFArray {
    /// Appends element type, length and elements; the elements' bytes are copied unchanged.
    fileprivate func encode(into result: inout [UInt8]) {
        result.append(integer: elementType.rawValue)
        result.append(integer: UInt64(count))
        file.withUnsafeBytes(bytes) { result.append(contentsOf: $0) }
    }
}
