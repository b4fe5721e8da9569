internal import Foundation
internal import MenoFormats

/// Reads the rows of a Parquet file, group by group and page by page.
///
/// It reads what pyarrow and Hugging Face's `datasets` write: nested lists, structs and maps, dictionaries, both versions of
/// pages, uncompressed or with snappy, gzip, zstd or lz4.
struct ParquetRecordReader: RecordReader {
    private let source: SourceFile
    private let bytes: ParquetBytes
    private let schema: ParquetSchema
    private let groups: [ThriftValue]
    private var nextGroup = 0
    private var columns: [ParquetColumn] = []
    private var rowsLeft = 0
    private var row = 0

    /// - Parameter stream: what the file holds, where it is compressed or cannot be sought.
    init(_ source: SourceFile, _ stream: (any ByteStream)?) throws {
        self.source = source
        do {
            bytes = try ParquetBytes(source.path, stream)
            let metadata = try Self.metadata(bytes)
            schema = try ParquetSchema(metadata[2]?.list ?? [])
            groups = metadata[4]?.list ?? []
        } catch let fault as ParquetFault {
            throw Self.malformed(source, fault.message)
        }
    }

    private static func malformed(_ source: SourceFile, _ message: String) -> DataError {
        DataError(
            .malformed, at: source.path, "cannot be read as Parquet: \(message).",
            advice: "Was it cut off, or damaged, while it was copied? Get it again, or write it again with pyarrow.")
    }

    private static func metadata(_ bytes: ParquetBytes) throws -> ThriftValue {
        let mark = Array("PAR1".utf8)
        guard bytes.count >= 12, try bytes.read(0..<4) == mark else {
            throw ParquetFault("it does not begin with PAR1")
        }
        let end = try bytes.read(bytes.count - 8..<bytes.count)
        guard Array(end[4...]) == mark else {
            throw ParquetFault("it does not end with PAR1: it was cut off, or is encrypted")
        }
        let length = end[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= bytes.count - 12 else { throw ParquetFault("its metadata are longer than the file") }
        return try bytes.read(bytes.count - 8 - length..<bytes.count - 8).withUnsafeBytes {
            var reader = ThriftReader($0)
            return try reader.fields()
        }
    }

    mutating func next() throws -> RawRecord? {
        do {
            while rowsLeft == 0 {
                guard nextGroup < groups.count else { return nil }
                try beginGroup()
            }
            rowsLeft -= 1
            var members: [JSONValue.Member] = []
            for node in schema.columns { members.append(.init(node.name, try value(node))) }
            defer { row += 1 }
            return RawRecord(place: RecordPlace("row \(row)", in: source.name), content: .value(.object(members)))
        } catch let fault as ParquetFault {
            throw Self.malformed(source, "\(fault.message) (at row \(row))")
        }
    }

    private mutating func beginGroup() throws {
        let group = groups[nextGroup]
        nextGroup += 1
        let chunks = group[1]?.list ?? []
        guard chunks.count == schema.leaves.count else {
            throw ParquetFault("a group of rows has \(chunks.count) columns, and its schema \(schema.leaves.count)")
        }
        columns = []
        for (leaf, chunk) in zip(schema.leaves, chunks) {
            guard let metadata = chunk[3], chunk[1] == nil else {
                throw ParquetFault("column \"\(leaf.name)\" is not in this file")
            }
            columns.append(try ParquetColumn(bytes, path: source.path, leaf, metadata))
        }
        rowsLeft = max(0, try group.require(3, "num_rows"))
    }

    // MARK: Assembling rows

    /// The value of a node, put together from the columns below it by their levels.
    private func value(_ node: ParquetSchema.Node) throws -> JSONValue {
        let first = columns[node.firstColumn]
        if node.isRepeated {
            guard let levels = try first.peek() else { throw ParquetFault.cut }
            guard levels.definition >= node.definition else {
                try skip(node)
                return .array([])
            }
            var elements: [JSONValue] = []
            repeat {
                elements.append(try content(node))
            } while try first.peek()?.repetition == node.repetition
            return .array(elements)
        }
        if node.isOptional {
            guard let levels = try first.peek() else { throw ParquetFault.cut }
            guard levels.definition >= node.definition else {
                try skip(node)
                return .null
            }
        }
        return try content(node)
    }

    private func content(_ node: ParquetSchema.Node) throws -> JSONValue {
        if let column = node.column { return try columns[column].take() }
        var members: [JSONValue.Member] = []
        for child in node.children { members.append(.init(child.name, try value(child))) }
        guard let elements = members.first?.value.array, node.children.count == 1, let inner = node.children.first,
            inner.isRepeated
        else { return .object(members) }
        switch node.meaning {
        case .list:
            // Elements are the members of a group between, unless old writers left that out.
            let hasGroup = inner.children.count == 1 && inner.name != "array" && inner.name != node.name + "_tuple"
            return .array(hasGroup ? elements.map { $0.object?.first?.value ?? .null } : elements)
        case .map:
            return .object(
                elements.compactMap { pair in
                    guard let key = pair.object?.first, let value = pair.object?.last else { return nil }
                    return .init(key.value.string ?? key.value.description, value.value)
                })
        default: return .object(members)
        }
    }

    /// Passes over what is not there: each column below has one entry for it.
    private func skip(_ node: ParquetSchema.Node) throws {
        for column in node.firstColumn..<node.firstColumn + node.columnCount { _ = try columns[column].take() }
    }
}
