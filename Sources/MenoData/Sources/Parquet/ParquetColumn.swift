internal import MenoFormats

/// The values of one column in one group of rows, page by page.
final class ParquetColumn {
    private let bytes: ParquetBytes
    private let path: String
    private let leaf: ParquetSchema.Leaf
    private let codec: Int
    private var place: Int
    private let end: Int
    /// Values that are still to come, nulls among them.
    private var left: Int
    private var dictionary: [JSONValue]?
    private var leftInPage = 0
    private var repetitions: ParquetRuns?
    private var definitions: ParquetRuns?
    private var values: ParquetValues?
    /// The levels of the next value.
    private var levels: (repetition: Int, definition: Int)?

    /// - Parameter chunk: the column's metadata.
    init(
        _ bytes: ParquetBytes, path: String, _ leaf: ParquetSchema.Leaf, _ chunk: ThriftValue
    ) throws(ParquetFault) {
        (self.bytes, self.path, self.leaf) = (bytes, path, leaf)
        codec = try chunk.require(4, "codec")
        left = try chunk.require(5, "num_values")
        let pages = try chunk.require(9, "data_page_offset")
        // Some writers give 0 where there is no dictionary.
        place = [chunk[11]?.integer, pages].compactMap { $0 }.filter { $0 > 0 }.min() ?? pages
        let size = try chunk.require(7, "total_compressed_size")
        guard place >= 4, size >= 0, size <= bytes.count, place <= bytes.count - size, left >= 0 else {
            throw ParquetFault("column \"\(leaf.name)\" lies beyond the end of the file")
        }
        end = place + size
    }

    /// The levels of the next value; `nil` at the end.
    func peek() throws -> (repetition: Int, definition: Int)? {
        if let levels { return levels }
        while leftInPage == 0 {
            guard left > 0 else { return nil }
            try beginPage()
        }
        let repetition = try repetitions?.next() ?? 0
        let definition = try definitions?.next() ?? leaf.definition
        guard repetition <= leaf.repetition, definition <= leaf.definition else {
            throw ParquetFault("column \"\(leaf.name)\" has levels that its schema does not have")
        }
        levels = (repetition, definition)
        return levels
    }

    /// Takes the next value; null where it is not defined.
    func take() throws -> JSONValue {
        guard let found = try peek() else { throw ParquetFault.cut }
        levels = nil
        leftInPage -= 1
        left -= 1
        return found.definition == leaf.definition ? try values?.next() ?? .null : .null
    }

    // MARK: Pages

    private func beginPage() throws {
        while true {
            let (header, length) = try nextHeader()
            place += length
            let size = try header.require(3, "compressed_page_size")
            let unpackedSize = try header.require(2, "uncompressed_page_size")
            guard size >= 0, size <= end - place, unpackedSize >= 0, unpackedSize <= 1 << 31 else {
                throw ParquetFault.cut
            }
            let packed = try bytes.read(place..<place + size)
            place += size
            switch try header.require(1, "type") {
            case 0:
                if let page = header[5] { return try begin(page, packed, unpackedSize) }
                throw ParquetFault("a page has no header of its kind")
            case 2:
                guard let page = header[7] else { throw ParquetFault("a page has no header of its kind") }
                try readDictionary(page, packed, unpackedSize)
            case 3:
                if let page = header[8] { return try beginSecondVersion(page, packed, unpackedSize) }
                throw ParquetFault("a page has no header of its kind")
            default: continue  // An index.
            }
        }
    }

    /// The next page's header and its length, which is not written anywhere.
    private func nextHeader() throws -> (ThriftValue, Int) {
        var size = 1 << 10
        while true {
            let range = place..<min(end, place + size)
            guard !range.isEmpty else { throw ParquetFault.cut }
            let start = try bytes.read(range)
            do throws(ParquetFault) {
                return try Self.header(start)
            } catch {
                guard range.upperBound < end, size < 1 << 24 else { throw error }
                size *= 16
            }
        }
    }

    private static func header(_ bytes: [UInt8]) throws(ParquetFault) -> (ThriftValue, Int) {
        try bytes.withUnsafeBytes { bytes in
            Result { () throws(ParquetFault) in
                var reader = ThriftReader(bytes)
                let value = try reader.fields()
                return (value, reader.offset)
            }
        }.get()
    }

    private func unpack(_ packed: ArraySlice<UInt8>, _ size: Int) throws -> [UInt8] {
        try packed.withUnsafeBytes { try ParquetCodec.unpack($0, codec: codec, size: size, path: path) }
    }

    private func readDictionary(_ page: ThriftValue, _ packed: [UInt8], _ size: Int) throws {
        let bytes = try unpack(packed[...], size)
        var values = try ParquetValues(leaf, encoding: 0, bytes, 0..<bytes.count, dictionary: nil)
        let count = try page.require(1, "num_values")
        guard count >= 0, count <= 8 * bytes.count else { throw ParquetFault.cut }
        var all: [JSONValue] = []
        for _ in 0..<count { all.append(try values.next()) }
        dictionary = all
    }

    private func begin(_ page: ThriftValue, _ packed: [UInt8], _ size: Int) throws {
        let bytes = try unpack(packed[...], size)
        var place = 0
        let levels = { (limit: Int, encoding: Int?) throws -> ParquetRuns? in
            guard limit > 0 else { return nil }
            guard encoding ?? 3 == 3 else { throw ParquetFault("levels are encoded in a way that is not known") }
            guard bytes.count - place >= 4 else { throw ParquetFault.cut }
            let length = bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
            place += 4
            guard length <= bytes.count - place else { throw ParquetFault.cut }
            place += length
            return try ParquetRuns(bytes, place - length..<place, width: Self.width(limit))
        }
        repetitions = try levels(leaf.repetition, page[4]?.integer)
        definitions = try levels(leaf.definition, page[3]?.integer)
        try beginValues(page, encoding: 2, bytes, place..<bytes.count)
    }

    private func beginSecondVersion(_ page: ThriftValue, _ packed: [UInt8], _ size: Int) throws {
        let (definitionSize, repetitionSize) = (
            try page.require(5, "definition_levels_byte_length"), try page.require(6, "repetition_levels_byte_length")
        )
        guard definitionSize >= 0, repetitionSize >= 0, definitionSize <= packed.count,
            repetitionSize <= packed.count - definitionSize, size >= definitionSize + repetitionSize
        else { throw ParquetFault.cut }
        let start = repetitionSize + definitionSize
        // Levels are never compressed.
        repetitions =
            leaf.repetition > 0
            ? try ParquetRuns(packed, 0..<repetitionSize, width: Self.width(leaf.repetition)) : nil
        definitions =
            leaf.definition > 0
            ? try ParquetRuns(packed, repetitionSize..<start, width: Self.width(leaf.definition)) : nil
        let isCompressed = page[7]?.boolean ?? true
        let bytes =
            isCompressed && start < packed.count ? try unpack(packed[start...], size - start) : Array(packed[start...])
        try beginValues(page, encoding: 4, bytes, 0..<bytes.count)
    }

    private func beginValues(_ page: ThriftValue, encoding: Int, _ bytes: [UInt8], _ range: Range<Int>) throws {
        let count = try page.require(1, "num_values")
        guard count >= 0, count <= left else {
            throw ParquetFault("column \"\(leaf.name)\" has more values than announced")
        }
        leftInPage = count
        let kind = try page.require(encoding, "encoding")
        // A page of nulls has no values, not even the beginning of some.
        values =
            range.isEmpty && kind != 0
            ? nil : try ParquetValues(leaf, encoding: kind, bytes, range, dictionary: dictionary)
    }

    /// Bits of a level.
    private static func width(_ limit: Int) -> Int { Int.bitWidth - limit.leadingZeroBitCount }
}
