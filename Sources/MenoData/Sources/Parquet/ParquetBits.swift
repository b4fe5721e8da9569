/// Numbers of a few bits, in runs of equal ones or packed: levels, indices into a dictionary, booleans.
struct ParquetRuns {
    private let bytes: [UInt8]
    private var place: Int
    private let end: Int
    private let width: Int
    private var left = 0
    private var repeated: Int?
    private var bit = 0

    /// - Parameter range: where the runs lie in the bytes.
    init(_ bytes: [UInt8], _ range: Range<Int>, width: Int) throws(ParquetFault) {
        guard (0...32).contains(width) else { throw ParquetFault("a page has values of \(width) bits") }
        (self.bytes, self.width) = (bytes, width)
        (place, end) = (range.lowerBound, range.upperBound)
    }

    mutating func next() throws(ParquetFault) -> Int {
        if width == 0 { return 0 }
        while left == 0 { try beginRun() }
        left -= 1
        if let repeated { return repeated }
        var value = 0
        for index in 0..<width {
            let at = place + (bit + index) >> 3
            guard at < end else { throw .cut }
            value |= Int(bytes[at] >> UInt8((bit + index) & 7) & 1) << index
        }
        bit += width
        if left == 0 { place = min(end, place + (bit + 7) >> 3) }
        return value
    }

    private mutating func beginRun() throws(ParquetFault) {
        let header = try ParquetRuns.unsigned(bytes, &place, end)
        guard let count = Int(exactly: header >> 1), count > 0, count < 1 << 40 else {
            throw ParquetFault("a page has a run of no values")
        }
        bit = 0
        if header & 1 == 1 {
            (left, repeated) = (8 * count, nil)
        } else {
            let size = (width + 7) >> 3
            guard place + size <= end else { throw .cut }
            var value = 0
            for index in 0..<size { value |= Int(bytes[place + index]) << (8 * index) }
            place += size
            (left, repeated) = (count, value)
        }
    }

    static func unsigned(_ bytes: [UInt8], _ place: inout Int, _ end: Int) throws(ParquetFault) -> UInt64 {
        var (value, shift): (UInt64, UInt64) = (0, 0)
        while true {
            guard place < end, shift < 64 else { throw .cut }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
    }
}

/// Whole numbers as differences, packed in blocks (DELTA_BINARY_PACKED).
struct ParquetDeltas {
    private let bytes: [UInt8]
    /// The next byte that has not been read.
    private(set) var place: Int
    private let end: Int
    private let perMiniblock: Int
    private let miniblocks: Int
    private(set) var count: Int
    private var value: Int
    private var isFirst = true
    private var minimum = 0
    private var widths: [Int] = []
    private var miniblock = 0
    private var left = 0
    private var bit = 0

    init(_ bytes: [UInt8], from start: Int, to end: Int) throws(ParquetFault) {
        (self.bytes, self.end) = (bytes, end)
        place = start
        let block = try ParquetRuns.unsigned(bytes, &place, end)
        let parts = try ParquetRuns.unsigned(bytes, &place, end)
        let total = try ParquetRuns.unsigned(bytes, &place, end)
        let first = try ParquetRuns.unsigned(bytes, &place, end)
        guard block > 0, block < 1 << 24, parts > 0, parts <= block, block % parts == 0, total < 1 << 40 else {
            throw ParquetFault("a page has differences in blocks of \(block) values in \(parts) parts")
        }
        (perMiniblock, miniblocks, count) = (Int(block / parts), Int(parts), Int(total))
        value = Self.signed(first)
        miniblock = miniblocks
    }

    private static func signed(_ value: UInt64) -> Int {
        Int(truncatingIfNeeded: value >> 1) ^ -Int(truncatingIfNeeded: value & 1)
    }

    /// The next number; there are ``count`` of them.
    mutating func next() throws(ParquetFault) -> Int {
        guard count > 0 else { throw .cut }
        count -= 1
        if isFirst {
            isFirst = false
            return value
        }
        if left == 0 { try beginMiniblock() }
        left -= 1
        let width = widths[miniblock]
        var difference: UInt64 = 0
        for index in 0..<width {
            let at = place + (bit + index) >> 3
            guard at < end else { throw .cut }
            difference |= UInt64(bytes[at] >> UInt8((bit + index) & 7) & 1) << UInt64(index)
        }
        bit += width
        value = value &+ minimum &+ Int(truncatingIfNeeded: difference)
        return value
    }

    private mutating func beginMiniblock() throws(ParquetFault) {
        if miniblock < miniblocks { try finishMiniblock() }
        miniblock += 1
        if miniblock >= miniblocks {
            minimum = Self.signed(try ParquetRuns.unsigned(bytes, &place, end))
            guard place + miniblocks <= end else { throw .cut }
            widths = bytes[place..<place + miniblocks].map(Int.init)
            guard widths.allSatisfy({ $0 <= 64 }) else { throw ParquetFault("a page has values of more than 64 bits") }
            place += miniblocks
            miniblock = 0
        }
        (left, bit) = (perMiniblock, 0)
    }

    private mutating func finishMiniblock() throws(ParquetFault) {
        place += (widths[miniblock] * perMiniblock) >> 3
        guard place <= end else { throw .cut }
    }

    /// Goes behind the last block, whose last part is always whole.
    mutating func finish() throws(ParquetFault) {
        while count > 0 { _ = try next() }
        if miniblock < miniblocks, !widths.isEmpty { try finishMiniblock() }
    }
}
