package import MenoFormats

/// Reads the records of a source in order, without holding the source in memory.
package protocol RecordReader {
    /// The next record; `nil` at the end.
    /// - Throws: ``DataError`` where the source as a whole cannot be read on. What has been returned stays valid.
    mutating func next() throws -> RawRecord?
}

/// A record as its source has it, not yet decoded.
package struct RawRecord: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        /// The bytes of its JSON, unchecked.
        case json([UInt8])
        /// A row of a table, or a text.
        case value(JSONValue)
        /// What a table's row says instead of a value.
        case unreadable(DataReport.Problem.Kind, reason: String)
    }

    package var place: RecordPlace
    package var content: Content
    /// Where its bytes lie in the file, where they can be read there again; `nil` in compressed files and tables.
    package var range: Range<Int>?
    /// Where its JSON begins in the text, for messages.
    package var start = TextPosition()
    /// The shape that its source has, where the run has several sources.
    package var format = RecordFormat.auto
    /// What it comes from, where it does not say so itself.
    package var source: String?

    package init(place: RecordPlace, content: Content, range: Range<Int>? = nil, start: TextPosition = TextPosition()) {
        self.place = place
        self.content = content
        self.range = range
        self.start = start
    }
}

/// Where a record stands.
package struct RecordPlace: Sendable, Hashable, CustomStringConvertible {
    /// The file, where a source has several.
    package var file: String?
    /// `line 12`, counted from 1; `record 3` of an array or `row 7` of a table, counted from 0.
    package var entry: String

    package init(_ entry: String, in file: String? = nil) {
        self.file = file
        self.entry = entry
    }

    /// `part-1.jsonl, line 12`
    package var description: String { file.map { "\($0), \(entry)" } ?? entry }
}

/// A place in a text; lines and columns are counted from 1, columns in characters.
package struct TextPosition: Sendable, Hashable, CustomStringConvertible {
    package var line = 1
    package var column = 1

    package init() {}

    /// Moves behind some bytes.
    package mutating func advance(over bytes: UnsafeRawBufferPointer) {
        var (lines, lineStart) = (0, 0)
        for place in bytes.indices where bytes[place] == 0x0A { (lines, lineStart) = (lines + 1, place + 1) }
        if lines > 0 { (line, column) = (line + lines, 1) }
        // Bytes that continue a character begin with 10.
        column += bytes[lineStart...].count { $0 & 0xC0 != 0x80 }
    }

    package func advanced(over bytes: UnsafeRawBufferPointer) -> TextPosition {
        var position = self
        position.advance(over: bytes)
        return position
    }

    package var description: String { "line \(line), column \(column)" }
}
