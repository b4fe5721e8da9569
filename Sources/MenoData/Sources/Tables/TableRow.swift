/// Finds where a row of a CSV or TSV text ends (RFC 4180), over a text that comes in pieces.
///
/// A quote opens a field only at its beginning; elsewhere it stands for itself, as in Python's `csv`.
struct RowScanner {
    enum State { case fieldStart, plain, quoted, quoteInQuoted }

    let separator: UInt8
    private(set) var state = State.fieldStart

    init(separator: UInt8) { self.separator = separator }

    /// Takes the next byte.
    /// - Returns: `true` where it ends the row.
    mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .quoted: if byte == UInt8(ascii: "\"") { state = .quoteInQuoted }
        case .fieldStart where byte == UInt8(ascii: "\""): state = .quoted
        case .quoteInQuoted where byte == UInt8(ascii: "\""): state = .quoted
        default:
            if byte == 0x0A { return true }
            state = byte == separator ? .fieldStart : .plain
        }
        return false
    }

    /// The end of a row, on the line feed; `nil` where the piece ended before.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        for place in start..<max(start, bytes.count) where take(bytes[place]) { return place }
        return nil
    }
}

/// A field of a row.
struct TableField: Equatable {
    var bytes: [UInt8] = []
    var isQuoted = false

    /// The fields of a row, without its line end.
    static func fields(of row: UnsafeRawBufferPointer, separator: UInt8) -> [TableField] {
        var fields = [TableField()]
        var scanner = RowScanner(separator: separator)
        for byte in row {
            let before = scanner.state
            _ = scanner.take(byte)
            let last = fields.count - 1
            switch (before, scanner.state) {
            case (.fieldStart, .quoted): fields[last].isQuoted = true
            case (.quoted, .quoteInQuoted): break
            case (.quoted, _), (.quoteInQuoted, .quoted), (_, .plain): fields[last].bytes.append(byte)
            case (_, .fieldStart): fields.append(TableField())
            default: break
            }
        }
        return fields
    }
}
