internal import MenoFormats

/// Where the records of a file lie, found without reading them, so that one bad record spoils no other and memory does not
/// grow with the file.
struct RecordElements {
    struct Element {
        /// `line 12`, counted from 1, or `record 3`, counted from 0.
        var place: String
        var range: Range<Int>
    }

    private let bytes: UnsafeRawBufferPointer
    /// Whether the file's name says that it has a record a line.
    private let isLines: Bool

    init(_ bytes: UnsafeRawBufferPointer, isLines: Bool) {
        self.bytes = bytes
        self.isLines = isLines
    }

    /// - Throws: ``JSONReader/Fault`` where the file is nothing of the kind.
    func all() throws(JSONReader.Fault) -> [Element] {
        guard let start = bytes.indices.first(where: { !JSONArrayElements.isSpace(bytes[$0]) }) else {
            throw JSONReader.Fault(offset: bytes.count, message: "it holds nothing but white space")
        }
        if bytes[start] == UInt8(ascii: "{") { return objects(from: start) }
        do throws(JSONArrayElements.Failure) {
            return try array(bytes, offset: 0) { "record \($0)" }
        } catch {
            // A file of lines may be an array all the same, whatever its name says; else its lines are named one by one.
            if isLines { return lines() }
            throw fault(error, at: start)
        }
    }

    private func array(
        _ bytes: UnsafeRawBufferPointer, offset: Int, _ place: (Int) -> String
    ) throws(JSONArrayElements.Failure) -> [Element] {
        try JSONArrayElements.ranges(in: bytes).enumerated().map {
            Element(place: place($0.offset), range: $0.element.lowerBound + offset..<$0.element.upperBound + offset)
        }
    }

    private func fault(_ failure: JSONArrayElements.Failure, at start: Int) -> JSONReader.Fault {
        switch failure {
        case .noArray:
            JSONReader.Fault(
                offset: start,
                message: "expected an array of records or a record ('[' or '{'), found "
                    + JSONReader.found(bytes, at: start))
        case .unclosed(let elements):
            JSONReader.Fault(
                offset: bytes.count,
                message:
                    "it ends inside its array, after \(elements) whole records: was it cut off while it was copied?")
        case .trailing(let offset):
            JSONReader.Fault(
                offset: offset,
                message: "expected the end of the file after its array, found \(JSONReader.found(bytes, at: offset))")
        }
    }

    // MARK: Objects

    /// Lines of objects, unless the first object stands on several lines.
    private func objects(from start: Int) -> [Element] {
        guard let end = closing(from: start, to: bytes.count) else { return lines() }
        let isOnOneLine = !bytes[start..<end].contains(0x0A)
        guard !isOnOneLine, isValue(start..<end) else {
            let lines = lines()
            return lines.count == 1 ? wrapped(lines[0]) ?? lines : lines
        }
        let all = concatenated(from: start)
        return all.count == 1 ? wrapped(all[0]) ?? all : all
    }

    private func isValue(_ range: Range<Int>) -> Bool {
        var reader = JSONReader(UnsafeRawBufferPointer(rebasing: bytes[range]))
        return (try? reader.value()) != nil
    }

    private func lines() -> [Element] {
        var lines: [Element] = []
        var (start, number) = (0, 0)
        while start < bytes.count {
            number += 1
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            if !bytes[start..<end].allSatisfy(JSONArrayElements.isSpace) { add(start..<end, line: number, to: &lines) }
            start = end + 1
        }
        return lines
    }

    /// A line may hold several objects, one behind the other.
    private func add(_ line: Range<Int>, line number: Int, to lines: inout [Element]) {
        var place = skippingSpace(line.lowerBound, line.upperBound)
        var parts: [Range<Int>] = []
        while place < line.upperBound, bytes[place] == UInt8(ascii: "{"),
            let end = closing(from: place, to: line.upperBound)
        {
            parts.append(place..<end)
            place = skippingSpace(end, line.upperBound)
        }
        guard parts.count > 1, place == line.upperBound else {
            return lines.append(Element(place: "line \(number)", range: line))
        }
        for (index, part) in parts.enumerated() {
            lines.append(Element(place: "line \(number), object \(index + 1)", range: part))
        }
    }

    /// Objects on several lines each, one behind the other.
    private func concatenated(from start: Int) -> [Element] {
        var elements: [Element] = []
        var (place, line, counted) = (start, 1, 0)
        while place < bytes.count {
            line += bytes[counted..<place].count { $0 == 0x0A }
            counted = place
            // An object that is not closed ends before the next line that begins as one.
            let end = closing(from: place, to: bytes.count) ?? nextObject(behind: place)
            elements.append(Element(place: "line \(line)", range: place..<end))
            place = skippingSpace(end, bytes.count)
        }
        return elements
    }

    private func nextObject(behind start: Int) -> Int {
        var place = start
        while let end = bytes[place...].firstIndex(of: 0x0A) {
            place = end + 1
            if place < bytes.count, bytes[place] == UInt8(ascii: "{") { return place }
        }
        return bytes.count
    }

    private func skippingSpace(_ start: Int, _ end: Int) -> Int {
        var place = start
        while place < end, JSONArrayElements.isSpace(bytes[place]) { place += 1 }
        return place
    }

    /// Behind the bracket that closes the object or array that begins at a byte; `nil` where there is none.
    private func closing(from start: Int, to end: Int) -> Int? {
        var depth = 0
        var place = start
        while place < end {
            switch bytes[place] {
            case UInt8(ascii: "\""):
                place += 1
                while place < end, bytes[place] != UInt8(ascii: "\"") {
                    place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
                }
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return place + 1 }
            default:
                // Whatever does not begin an object or array is none.
                if depth == 0 { return nil }
            }
            place += 1
        }
        return nil
    }

    // MARK: Wrapped records

    /// The records of a file that is one object with its records in a member: `{"data": [{…}, …]}`.
    private func wrapped(_ element: Element) -> [Element]? {
        let members = members(element.range).filter { member in
            bytes[member.range.lowerBound] == UInt8(ascii: "[") && isObject(behind: member.range.lowerBound)
        }
        let keys = Set(RecordDecoder.shapeKeys)
        guard members.count == 1, let member = members.first, !keys.contains(member.key) else { return nil }
        return try? array(UnsafeRawBufferPointer(rebasing: bytes[member.range]), offset: member.range.lowerBound) {
            "\(member.key)[\($0)]"
        }
    }

    private func isObject(behind bracket: Int) -> Bool {
        let place = skippingSpace(bracket + 1, bytes.count)
        return place < bytes.count && bytes[place] == UInt8(ascii: "{")
    }

    /// The arrays and objects among the members of an object.
    private func members(_ range: Range<Int>) -> [(key: String, range: Range<Int>)] {
        var found: [(String, Range<Int>)] = []
        var place = skippingSpace(range.lowerBound, range.upperBound) + 1
        while place < range.upperBound {
            place = skippingSpace(place, range.upperBound)
            var reader = JSONReader(UnsafeRawBufferPointer(rebasing: bytes[..<range.upperBound]), from: place)
            guard place < range.upperBound, bytes[place] == UInt8(ascii: "\""),
                case .string(let key)? = try? reader.value()
            else { return found }
            place = skippingSpace(reader.offset, range.upperBound)
            guard place < range.upperBound, bytes[place] == UInt8(ascii: ":") else { return found }
            place = skippingSpace(place + 1, range.upperBound)
            if let end = closing(from: place, to: range.upperBound) {
                found.append((key, place..<end))
                place = end
            } else {
                reader = JSONReader(UnsafeRawBufferPointer(rebasing: bytes[..<range.upperBound]), from: place)
                guard (try? reader.value()) != nil else { return found }
                place = reader.offset
            }
            place = skippingSpace(place, range.upperBound)
            guard place < range.upperBound, bytes[place] == UInt8(ascii: ",") else { return found }
            place += 1
        }
        return found
    }
}
