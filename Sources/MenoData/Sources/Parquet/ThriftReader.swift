/// A value of Thrift's compact protocol, in which Parquet writes its metadata.
indirect enum ThriftValue {
    case boolean(Bool)
    case integer(Int)
    case double
    case bytes([UInt8])
    case list([ThriftValue])
    case fields([Int: ThriftValue])

    subscript(field: Int) -> ThriftValue? { if case .fields(let fields) = self { fields[field] } else { nil } }
    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var list: [ThriftValue]? { if case .list(let values) = self { values } else { nil } }
    var boolean: Bool? { if case .boolean(let value) = self { value } else { nil } }
    var string: String? { if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil } }

    func require(_ field: Int, _ name: String) throws(ParquetFault) -> Int {
        guard let value = self[field]?.integer else { throw ParquetFault("its metadata lack \"\(name)\"") }
        return value
    }
}

/// Reads Thrift's compact protocol.
struct ThriftReader {
    private static let depthLimit = 24

    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func fields() throws(ParquetFault) -> ThriftValue { try fields(depth: 0) }

    private mutating func byte() throws(ParquetFault) -> UInt8 {
        guard offset < bytes.count else { throw .cut }
        offset += 1
        return bytes[offset - 1]
    }

    private mutating func unsigned() throws(ParquetFault) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while true {
            let next = try byte()
            guard shift < 64 else { throw ParquetFault("its metadata have a number of more than 64 bits") }
            value |= UInt64(next & 0x7F) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
    }

    private mutating func signed() throws(ParquetFault) -> Int {
        let value = try unsigned()
        return Int(truncatingIfNeeded: value >> 1) ^ -Int(truncatingIfNeeded: value & 1)
    }

    private mutating func fields(depth: Int) throws(ParquetFault) -> ThriftValue {
        guard depth < Self.depthLimit else { throw ParquetFault("its metadata are nested too deep") }
        var fields: [Int: ThriftValue] = [:]
        var field = 0
        while true {
            let header = try byte()
            if header == 0 { return .fields(fields) }
            field = header >> 4 == 0 ? try signed() : field &+ Int(header >> 4)
            switch header & 15 {
            case 1: fields[field] = .boolean(true)
            case 2: fields[field] = .boolean(false)
            default: fields[field] = try value(header & 15, depth: depth + 1)
            }
        }
    }

    private mutating func value(_ kind: UInt8, depth: Int) throws(ParquetFault) -> ThriftValue {
        switch kind {
        case 1, 2: return .boolean(try byte() == 1)
        case 3: return .integer(Int(Int8(bitPattern: try byte())))
        case 4, 5, 6: return .integer(try signed())
        case 7:
            guard bytes.count - offset >= 8 else { throw .cut }
            offset += 8
            return .double
        case 8:
            guard let count = Int(exactly: try unsigned()), count <= bytes.count - offset else { throw .cut }
            offset += count
            return .bytes(Array(bytes[offset - count..<offset]))
        case 9, 10:
            guard depth < Self.depthLimit else { throw ParquetFault("its metadata are nested too deep") }
            let header = try byte()
            guard let count = try header >> 4 == 15 ? Int(exactly: unsigned()) : Int(header >> 4),
                count <= bytes.count - offset
            else { throw .cut }
            var values: [ThriftValue] = []
            for _ in 0..<count { values.append(try value(header & 15, depth: depth + 1)) }
            return .list(values)
        case 11:
            guard let count = Int(exactly: try unsigned()), count <= bytes.count - offset else { throw .cut }
            guard count > 0 else { return .list([]) }
            let kinds = try byte()
            for _ in 0..<count {
                _ = try value(kinds >> 4, depth: depth + 1)
                _ = try value(kinds & 15, depth: depth + 1)
            }
            return .list([])
        case 12: return try fields(depth: depth)
        default: throw ParquetFault("its metadata have a value of the unknown kind \(kind)")
        }
    }
}
