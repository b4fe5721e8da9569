internal import Foundation
internal import MenoFormats

/// What a record of a text file is, as `sample_by` of `datasets` has it.
public enum TextUnit: String, Sendable, Hashable, CaseIterable {
    /// A line that is not blank.
    case line
    /// What stands between blank lines.
    case paragraph
    /// The whole file.
    case document
}

/// Reads a text file as records of the shape `{"text": …}`.
struct TextRecordReader: RecordReader {
    private let source: SourceFile
    private let unit: TextUnit
    private let window: TextWindow
    private var place = 0
    private var line = 0
    private var isAtEnd = false

    init(_ source: SourceFile, unit: TextUnit) throws {
        (self.source, self.unit) = (source, unit)
        window = TextWindow(try source.open())
    }

    mutating func next() throws -> RawRecord? {
        if unit == .document {
            guard !isAtEnd else { return nil }
            isAtEnd = true
            while try extend(keepingFrom: 0) {}
            return record(0..<window.end, "document")
        }
        var lines: (range: Range<Int>, first: Int)?
        while let next = try nextLine(keepingFrom: lines?.range.lowerBound) {
            let isBlank = window.lend(next) { $0.allSatisfy(JSONLayout.isSpace) }
            if isBlank {
                if lines != nil { break }
                continue
            }
            lines = ((lines?.range.lowerBound ?? next.lowerBound)..<next.upperBound, lines?.first ?? line)
            if unit == .line { break }
        }
        return lines.map { record($0.range, "line \($0.first)") }
    }

    private mutating func nextLine(keepingFrom kept: Int?) throws -> Range<Int>? {
        let start = place
        var searched = start
        while true {
            if let found = window.bytes[(searched - window.base)...].firstIndex(of: 0x0A) {
                place = window.base + found + 1
                line += 1
                return start..<window.base + found
            }
            searched = window.end
            guard try extend(keepingFrom: kept ?? start) else { break }
        }
        guard window.end > start else { return nil }
        place = window.end
        line += 1
        return start..<window.end
    }

    private func record(_ range: Range<Int>, _ entry: String) -> RawRecord {
        var bytes = window.copy(range)
        while let last = bytes.last, last == 0x0D || last == 0x0A { bytes.removeLast() }
        let place = RecordPlace(entry, in: source.name)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return RawRecord(place: place, content: .unreadable(.notUTF8, reason: "has bytes that are not UTF-8."))
        }
        return RawRecord(place: place, content: .value(.object([.init("text", .string(text))])))
    }

    private func extend(keepingFrom offset: Int) throws -> Bool {
        guard window.end - offset < TextWindow.limit else {
            throw DataError(
                .malformed, at: source.path, "has a \(unit.rawValue) of more than \(TextWindow.limit >> 30) GiB.",
                advice: "Divide it into files.")
        }
        return try window.extend(keepingFrom: offset)
    }
}
