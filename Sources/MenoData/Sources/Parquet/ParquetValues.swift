internal import MenoFormats

/// The values of a page, one after the other.
struct ParquetValues {
    private enum Form {
        case plain
        case dictionary(ParquetRuns, [JSONValue])
        case runs(ParquetRuns)
        case deltas(ParquetDeltas)
        case lengths(ParquetDeltas)
        case prefixes(ParquetDeltas, ParquetDeltas, [UInt8])
        case split(count: Int, index: Int)
    }

    private let leaf: ParquetSchema.Leaf
    private let bytes: [UInt8]
    private var place: Int
    private let end: Int
    private var bit = 0
    private var form: Form

    init(
        _ leaf: ParquetSchema.Leaf, encoding: Int, _ bytes: [UInt8], _ range: Range<Int>, dictionary: [JSONValue]?
    ) throws(ParquetFault) {
        (self.leaf, self.bytes) = (leaf, bytes)
        (place, end) = (range.lowerBound, range.upperBound)
        switch encoding {
        case 0: form = .plain
        case 2, 8:
            guard let dictionary else { throw ParquetFault("a page refers to a dictionary that is not there") }
            guard range.isEmpty || bytes[place] <= 32 else { throw ParquetFault("a page has indices of too many bits") }
            let runs = range.isEmpty ? range : range.lowerBound + 1..<range.upperBound
            form = .dictionary(
                try ParquetRuns(bytes, runs, width: range.isEmpty ? 0 : Int(bytes[place])), dictionary)
        case 3:
            guard leaf.physical == .boolean, range.count >= 4 else { throw Self.unexpected(encoding, leaf) }
            form = .runs(try ParquetRuns(bytes, range.lowerBound + 4..<range.upperBound, width: 1))
        case 5:
            guard leaf.physical == .int32 || leaf.physical == .int64 else { throw Self.unexpected(encoding, leaf) }
            form = .deltas(try ParquetDeltas(bytes, from: place, to: end))
        case 6:
            guard leaf.physical == .bytes else { throw Self.unexpected(encoding, leaf) }
            let lengths = try ParquetDeltas(bytes, from: place, to: end)
            var behind = lengths
            try behind.finish()
            place = behind.place
            form = .lengths(lengths)
        case 7:
            guard leaf.physical == .bytes || leaf.physical == .fixed else { throw Self.unexpected(encoding, leaf) }
            let prefixes = try ParquetDeltas(bytes, from: place, to: end)
            var behind = prefixes
            try behind.finish()
            let lengths = try ParquetDeltas(bytes, from: behind.place, to: end)
            behind = lengths
            try behind.finish()
            place = behind.place
            form = .prefixes(prefixes, lengths, [])
        case 9:
            guard let size = Self.size(leaf), size > 0 else { throw Self.unexpected(encoding, leaf) }
            form = .split(count: range.count / size, index: 0)
        default: throw Self.unexpected(encoding, leaf)
        }
    }

    private static func unexpected(_ encoding: Int, _ leaf: ParquetSchema.Leaf) -> ParquetFault {
        ParquetFault("column \"\(leaf.name)\" is encoded in a way that is not known (\(encoding))")
    }

    /// Bytes of a value; `nil` where they differ.
    private static func size(_ leaf: ParquetSchema.Leaf) -> Int? {
        switch leaf.physical {
        case .int32, .float: 4
        case .int64, .double: 8
        case .int96: 12
        case .fixed: leaf.length
        case .boolean, .bytes: nil
        }
    }

    mutating func next() throws(ParquetFault) -> JSONValue {
        switch form {
        case .plain: return try plain()
        case .dictionary(var runs, let dictionary):
            let index = try runs.next()
            form = .dictionary(runs, dictionary)
            guard index < dictionary.count else { throw ParquetFault("a page refers beyond its dictionary") }
            return dictionary[index]
        case .runs(var runs):
            let value = try runs.next()
            form = .runs(runs)
            return .boolean(value != 0)
        case .deltas(var deltas):
            let value = try deltas.next()
            form = .deltas(deltas)
            return leaf.physical == .int32
                ? whole32(UInt32(truncatingIfNeeded: value)) : whole64(UInt64(bitPattern: Int64(value)))
        case .lengths(var lengths):
            let value = try take(try lengths.next())
            form = .lengths(lengths)
            return text(value)
        case .prefixes(var prefixes, var lengths, let last):
            let (kept, count) = (try prefixes.next(), try lengths.next())
            guard (0...last.count).contains(kept) else { throw ParquetFault("a page repeats more than there is") }
            let value = Array(last[..<kept]) + (try take(count))
            form = .prefixes(prefixes, lengths, value)
            return text(value)
        case .split(let count, let index):
            guard index < count, let size = Self.size(leaf) else { throw .cut }
            form = .split(count: count, index: index + 1)
            return fixed((0..<size).map { bytes[place + $0 * count + index] })
        }
    }

    private mutating func take(_ count: Int) throws(ParquetFault) -> [UInt8] {
        guard count >= 0, count <= end - place else { throw .cut }
        place += count
        return Array(bytes[place - count..<place])
    }

    private mutating func plain() throws(ParquetFault) -> JSONValue {
        switch leaf.physical {
        case .boolean:
            guard place < end else { throw .cut }
            let value = bytes[place] >> UInt8(bit) & 1
            bit += 1
            if bit == 8 { (place, bit) = (place + 1, 0) }
            return .boolean(value == 1)
        case .bytes:
            let length = try take(4)
            return text(try take(Int(Self.number(length))))
        default: return fixed(try take(Self.size(leaf) ?? 0))
        }
    }

    private static func number(_ bytes: [UInt8]) -> UInt64 {
        var value: UInt64 = 0
        for (index, byte) in bytes.prefix(8).enumerated() { value |= UInt64(byte) << UInt64(8 * index) }
        return value
    }

    private func fixed(_ bytes: [UInt8]) -> JSONValue {
        let number = Self.number(bytes)
        switch leaf.physical {
        case .int32: return whole32(UInt32(truncatingIfNeeded: number))
        case .int64: return whole64(number)
        case .float: return .number(Double(Float(bitPattern: UInt32(truncatingIfNeeded: number))))
        case .double: return .number(Double(bitPattern: number))
        case .fixed where leaf.meaning == .float16 && bytes.count == 2:
            return .number(Self.half(UInt16(truncatingIfNeeded: number)))
        default: return text(bytes)
        }
    }

    private func whole32(_ bits: UInt32) -> JSONValue {
        .integer(leaf.meaning == .unsigned32 ? Int(bits) : Int(Int32(bitPattern: bits)))
    }

    private func whole64(_ bits: UInt64) -> JSONValue {
        leaf.meaning == .unsigned64 && bits > UInt64(Int.max)
            ? .number(Double(bits)) : .integer(Int(Int64(bitPattern: bits)))
    }

    private static func half(_ bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 1 ? -1 : 1
        let (exponent, fraction) = (Int(bits >> 10 & 31), Double(bits & 1023) / 1024)
        switch exponent {
        case 0: return sign * fraction * 0x1p-14
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction)
        }
    }

    /// A text, or what stands for bytes that are none, such as a picture's.
    private func text(_ bytes: [UInt8]) -> JSONValue {
        .string(String(validating: bytes, as: UTF8.self) ?? "(\(bytes.count) bytes)")
    }
}
