internal import MenoFormats

/// Reads the rows of a CSV or TSV file, whose first row names the columns. All values are texts; a field that is empty and not
/// quoted is null.
struct TableRecordReader: RecordReader {
    private let source: SourceFile
    private let separator: UInt8
    private let window: TextWindow
    private var columns: [String] = []
    private var place = 0
    private var line = 1

    init(_ source: SourceFile, separator: UInt8) throws {
        (self.source, self.separator) = (source, separator)
        window = TextWindow(try source.open())
        guard let header = try nextRow() else {
            throw DataError(
                .malformed, at: source.path, "is empty.", advice: "Expected a first row that names the columns.")
        }
        guard case .success(let names) = Self.texts(header.fields) else {
            throw DataError(
                .malformed, at: source.path, "has a first row that is not UTF-8.", advice: "Save it as UTF-8.")
        }
        columns = names.map { $0 ?? "" }
        for (index, name) in columns.enumerated() where columns[..<index].contains(name) {
            throw DataError(
                .malformed, at: source.path, "has two columns \"\(name)\".", advice: "Give each column its own name.")
        }
    }

    mutating func next() throws -> RawRecord? {
        while let row = try nextRow() {
            // A line without anything is no row, unless an empty field is all that a row has.
            if row.fields == [TableField()] { continue }
            return RawRecord(
                place: RecordPlace("line \(row.line)", in: source.name), content: content(row))
        }
        return nil
    }

    private func content(_ row: Row) -> RawRecord.Content {
        if row.isUnclosed {
            return .unreadable(.raggedRow, reason: "opens a quote that is never closed.")
        }
        guard row.fields.count == columns.count else {
            return .unreadable(
                .raggedRow,
                reason:
                    "has \(row.fields.count) fields; the first row names \(columns.count) columns. Fields that hold the "
                    + "separator or a line end are written in quotes.")
        }
        switch Self.texts(row.fields) {
        case .success(let texts):
            return .value(
                .object(zip(columns, texts).map { .init($0, $1.map { .string($0) } ?? .null) }))
        case .failure: return .unreadable(.notUTF8, reason: "has bytes that are not UTF-8.")
        }
    }

    private struct NotUTF8: Error {}

    private static func texts(_ fields: [TableField]) -> Result<[String?], NotUTF8> {
        var texts: [String?] = []
        for field in fields {
            if field.bytes.isEmpty, !field.isQuoted {
                texts.append(nil)
            } else {
                guard let text = String(validating: field.bytes, as: UTF8.self) else { return .failure(NotUTF8()) }
                texts.append(text)
            }
        }
        return .success(texts)
    }

    private struct Row {
        var fields: [TableField]
        var line: Int
        var isUnclosed = false
    }

    private mutating func nextRow() throws -> Row? {
        let start = place
        var scanner = RowScanner(separator: separator)
        var searched = start
        var end: Int?
        while end == nil {
            end = scanner.scan(window.bytes, from: searched - window.base).map { $0 + window.base }
            if end == nil {
                searched = window.end
                guard window.end - start < TextWindow.limit, try window.extend(keepingFrom: start) else { break }
            }
        }
        guard end != nil || window.end > start else { return nil }
        let isUnclosed = end == nil && scanner.state == .quoted
        if isUnclosed {
            // Ends with its line, so that it takes no other rows with it.
            end = window.bytes[(start - window.base)...].firstIndex(of: 0x0A).map { $0 + window.base }
        }
        var range = start..<(end ?? window.end)
        place = range.upperBound + (end == nil ? 0 : 1)
        let found = line
        line += window.lend(range) { $0.count { $0 == 0x0A } } + 1
        if !range.isEmpty, window.bytes[range.upperBound - 1 - window.base] == 0x0D {
            range = range.lowerBound..<range.upperBound - 1
        }
        let fields = window.lend(range) { TableField.fields(of: $0, separator: separator) }
        return Row(fields: fields, line: found, isUnclosed: isUnclosed)
    }
}
