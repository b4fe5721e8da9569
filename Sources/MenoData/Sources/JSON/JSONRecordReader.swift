internal import Foundation
internal import MenoFormats

/// Reads the records of a JSON or JSONL text, as they lie in it, without reading their JSON.
struct JSONRecordReader: RecordReader {
    private let source: SourceFile
    private let window: TextWindow
    private let layout: JSONLayout
    /// The next byte that has not been read.
    private var place = 0
    /// A place in the text, and its line and column.
    private var (known, position) = (0, TextPosition())
    /// Lines or elements that have been read.
    private var count = 0
    /// Records of the last line, the next one last.
    private var queue: [RawRecord] = []
    private var isAtEnd = false

    /// - Throws: ``DataError`` where the file cannot be read, or is no JSON.
    init(_ source: SourceFile) throws {
        self.source = source
        do {
            layout = try JSONLayout(isLines: source.kind == .lines, open: source.open)
        } catch let fault as JSONLayout.Fault {
            throw Self.malformed(source, fault)
        }
        window = TextWindow(try source.open())
        switch layout {
        case .lines: break
        case .objects(let start): try skip(to: start)
        case .array(let bracket, _): try skip(to: bracket + 1)
        }
    }

    mutating func next() throws -> RawRecord? {
        if let record = queue.popLast() { return record }
        guard !isAtEnd else { return nil }
        switch layout {
        case .lines: return try nextLine()
        case .objects: return try nextObject()
        case .array(_, let member): return try nextElement(of: member)
        }
    }

    // MARK: Lines

    private mutating func nextLine() throws -> RawRecord? {
        while true {
            var searched = place
            var end: Int?
            while end == nil {
                let from = searched - window.base
                if let base = window.bytes.baseAddress, from < window.bytes.count,
                    let found = memchr(base + from, 0x0A, window.bytes.count - from)
                {
                    end = window.base + (UnsafeRawPointer(found) - base)
                } else {
                    searched = window.end
                    guard try extend(keepingFrom: place) else { break }
                }
            }
            let line = place..<(end ?? window.end)
            guard end != nil || !line.isEmpty else {
                isAtEnd = true
                return nil
            }
            count += 1
            place = line.upperBound + (end == nil ? 0 : 1)
            add(line)
            if let record = queue.popLast() { return record }
        }
    }

    /// A line may hold several objects, one behind the other.
    private mutating func add(_ line: Range<Int>) {
        let parts = window.lend(line, Self.objects)
        guard let parts else { return }
        var start = TextPosition()
        start.line = count
        guard parts.count > 1 else { return queue.append(record("line \(count)", line, start)) }
        for (index, part) in parts.enumerated().reversed() {
            let range = line.lowerBound + part.lowerBound..<line.lowerBound + part.upperBound
            let position = window.lend(line.lowerBound..<range.lowerBound) { start.advanced(over: $0) }
            queue.append(record("line \(count), object \(index + 1)", range, position))
        }
    }

    /// The objects of a line: none where it is not made up of objects; `nil` where it is blank.
    private static func objects(_ line: UnsafeRawBufferPointer) -> [Range<Int>]? {
        guard var place = line.firstIndex(where: { !JSONLayout.isSpace($0) }) else { return nil }
        var parts: [Range<Int>] = []
        while place < line.count {
            var scanner = BracketScanner()
            guard line[place] == UInt8(ascii: "{"), case .closed(let end) = scanner.scan(line, from: place) else {
                return []
            }
            parts.append(place..<end)
            place = line[end...].firstIndex { !JSONLayout.isSpace($0) } ?? line.count
        }
        return parts
    }

    // MARK: Objects on several lines

    private mutating func nextObject() throws -> RawRecord? {
        guard try skipSpace() else { return nil }
        let start = place
        var scanner = BracketScanner()
        var end: Int?
        scan: while true {
            switch scanner.scan(window.bytes, from: place - window.base) {
            case .closed(let found):
                end = window.base + found
                break scan
            case .none: break scan
            case .open:
                place = window.end
                guard try extend(keepingFrom: start) else { break scan }
            }
        }
        // An object that is not closed ends before the next line that begins as one.
        let range = start..<(try end ?? nextBeginning(after: start))
        place = range.upperBound
        return record("line \(position.line)", range, position)
    }

    private mutating func nextBeginning(after start: Int) throws -> Int {
        var searched = start
        while true {
            if let found = window.bytes[(searched - window.base)...].firstIndex(of: 0x0A) {
                searched = window.base + found + 1
                if searched == window.end { _ = try extend(keepingFrom: start) }
                if searched < window.end, window.bytes[searched - window.base] == UInt8(ascii: "{") { return searched }
            } else {
                searched = window.end
                guard try extend(keepingFrom: start) else { return searched }
            }
        }
    }

    // MARK: Elements of an array

    private mutating func nextElement(of member: String?) throws -> RawRecord? {
        guard try skipSpace() else { throw unclosed() }
        if count == 0, window.bytes[place - window.base] == UInt8(ascii: "]") {
            place += 1
            try endArray(member)
            return nil
        }
        let start = place
        var scanner = ArrayScanner()
        var found: ArrayScanner.End?
        while found == nil {
            found = scanner.scan(window.bytes, from: place - window.base)
            if found == nil {
                place = window.end
                guard try extend(keepingFrom: start) else { throw unclosed() }
            }
        }
        guard let found else { return nil }
        var end = window.base + found.offset
        place = end + 1
        while end > start, JSONLayout.isSpace(window.bytes[end - 1 - window.base]) { end -= 1 }
        let entry = member.map { "\($0)[\(count)]" } ?? "record \(count)"
        let element = record(entry, start..<end, position)
        count += 1
        if found.isLast { try endArray(member) }
        return element
    }

    private mutating func endArray(_ member: String?) throws {
        isAtEnd = true
        guard member == nil, try skipSpace() else { return }
        let found = JSONReader.found(window.bytes, at: place - window.base)
        throw Self.malformed(
            source,
            .init(position: position, message: "expected the end of the file after its array, found \(found)"))
    }

    private mutating func unclosed() -> DataError {
        note(window.end)
        return Self.malformed(
            source,
            .init(
                position: position,
                message: "it ends inside its array, after \(count) whole records: was it cut off while it was copied?"))
    }

    // MARK: Moving on

    private func record(_ entry: String, _ range: Range<Int>, _ start: TextPosition) -> RawRecord {
        RawRecord(
            place: RecordPlace(entry, in: source.name), content: .json(window.copy(range)),
            range: source.textOffset.map { range.lowerBound + $0..<range.upperBound + $0 }, start: start)
    }

    /// Goes to the next byte that is no white space, and takes its position.
    private mutating func skipSpace() throws -> Bool {
        note(place)
        guard let found = try window.skipSpace(from: place, &position) else {
            (place, known) = (window.end, window.end)
            isAtEnd = true
            return false
        }
        (place, known) = (found, found)
        return true
    }

    private mutating func skip(to offset: Int) throws {
        while window.end < offset {
            note(window.end)
            guard try window.extend(keepingFrom: window.end) else { break }
        }
        note(min(offset, window.end))
        place = known
    }

    /// Takes the position of a place ahead that is in memory.
    private mutating func note(_ offset: Int) {
        guard offset > known, layout != .lines else { return }
        position = window.lend(known..<offset) { position.advanced(over: $0) }
        known = offset
    }

    private func extend(keepingFrom offset: Int) throws -> Bool {
        guard window.end - offset < TextWindow.limit else {
            throw DataError(
                .malformed, at: source.path,
                "has a record of more than \(TextWindow.limit >> 30) GiB after \(count) others.",
                advice: "Is a bracket or a line end missing?")
        }
        return try window.extend(keepingFrom: offset)
    }

    private static func malformed(_ source: SourceFile, _ fault: JSONLayout.Fault) -> DataError {
        DataError(
            .malformed, at: source.path, "cannot be read as JSON, at \(fault.position): \(fault.message).",
            advice: "Expected [ {…}, {…} ], or a .jsonl file with one object a line.")
    }
}
