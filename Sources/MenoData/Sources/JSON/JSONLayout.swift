internal import MenoFormats

/// How the records of a JSON text lie in it.
enum JSONLayout: Equatable {
    /// A record a line.
    case lines
    /// Objects one behind the other, each on several lines.
    case objects(start: Int)
    /// An array, of which the bracket's place is known; in an object, the member that it is.
    case array(bracket: Int, member: String?)

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    /// Looks into a text.
    /// - Parameters:
    ///   - isLines: whether the file's name says that it has a record a line.
    ///   - open: opens the text from its beginning.
    /// - Throws: ``Fault`` where the text is nothing of the kind.
    init(isLines: Bool, open: () throws -> any ByteStream) throws {
        let window = TextWindow(try open())
        var position = TextPosition()
        guard let start = try window.skipSpace(from: 0, &position) else {
            throw Fault(position: position, message: "it holds nothing but white space")
        }
        switch window.bytes[start - window.base] {
        case UInt8(ascii: "{"): self = try Self.ofObjects(window, from: start, open)
        case UInt8(ascii: "["):
            // A file of lines may be an array all the same, whatever its name says; else its lines are named one by one.
            let isArray = try !isLines || Self.isWholeArray(window, bracket: start)
            self = isArray ? .array(bracket: start, member: nil) : .lines
        default:
            guard isLines else {
                let found = JSONReader.found(window.bytes, at: start - window.base)
                throw Fault(
                    position: position,
                    message: "expected an array of records or a record ('[' or '{'), found \(found)")
            }
            self = .lines
        }
    }

    /// What is wrong with a text as a whole.
    struct Fault: Error {
        var position: TextPosition
        var message: String
    }

    private static func isWholeArray(_ window: TextWindow, bracket: Int) throws -> Bool {
        var scanner = ArrayScanner()
        var place = bracket + 1
        while true {
            if let end = scanner.scan(window.bytes, from: place - window.base) {
                place = end.offset + 1 + window.base
                if end.isLast { return try window.skipSpace(from: place) == nil }
            } else {
                place = window.end
                guard try window.extend(keepingFrom: place) else { return false }
            }
        }
    }

    private static func ofObjects(
        _ window: TextWindow, from start: Int, _ open: () throws -> any ByteStream
    ) throws -> JSONLayout {
        var object = FirstObject()
        var place = start
        var end: Int?
        while end == nil {
            end = object.scan(window.bytes, from: place - window.base, base: window.base)
            if end == nil {
                place = window.end
                guard try window.extend(keepingFrom: place) else { return .lines }
            }
        }
        guard let end else { return .lines }
        let isAlone = try window.skipSpace(from: end) == nil
        if isAlone, object.arrays.count == 1, let array = object.arrays.first,
            let key = (try? JSONReader.value(of: "\"" + String(decoding: array.key, as: UTF8.self) + "\""))?.string,
            !RecordDecoder.shapeKeys.contains(key)
        {
            return .array(bracket: array.bracket, member: key)
        }
        guard object.hasLineEnd, end - start < TextWindow.limit else { return .lines }
        return try isValue(start..<end, TextWindow(open())) ? .objects(start: start) : .lines
    }

    private static func isValue(_ range: Range<Int>, _ window: TextWindow) throws -> Bool {
        while window.end < range.upperBound { guard try window.extend(keepingFrom: range.lowerBound) else { break } }
        guard window.end >= range.upperBound else { return false }
        return window.lend(range) { bytes in
            var reader = JSONReader(bytes)
            return (try? reader.value()) != nil
        }
    }
}

extension TextWindow {
    /// The next byte that is no white space; `nil` at the end of the text.
    func skipSpace(from start: Int) throws -> Int? {
        var position = TextPosition()
        return try skipSpace(from: start, &position)
    }

    /// The same, with the position of what was found.
    func skipSpace(from start: Int, _ position: inout TextPosition) throws -> Int? {
        var place = start
        while true {
            let from = place - base
            let found = bytes[from...].firstIndex { !JSONLayout.isSpace($0) } ?? bytes.count
            position.advance(over: UnsafeRawBufferPointer(rebasing: bytes[from..<found]))
            if found < bytes.count { return base + found }
            place = end
            guard try extend(keepingFrom: place) else { return nil }
        }
    }
}

/// Goes over the first object of a text and notes the arrays of objects among its members.
private struct FirstObject {
    private(set) var hasLineEnd = false
    /// At most two: what matters is whether there is exactly one.
    private(set) var arrays: [(key: [UInt8], bracket: Int)] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var key: [UInt8] = []
    private var isValue = false
    /// The bracket of an array whose first element is to come.
    private var bracket: Int?

    /// - Returns: behind the closing bracket; `nil` where the piece ended before.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int, base: Int) -> Int? {
        var place = start
        while place < bytes.count {
            let byte = bytes[place]
            place += 1
            if byte == 0x0A { hasLineEnd = true }
            if isInString {
                if !isEscaped, byte == UInt8(ascii: "\"") {
                    isInString = false
                } else {
                    isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                    if depth == 1, !isValue { key.append(byte) }
                }
                continue
            }
            if JSONLayout.isSpace(byte) { continue }
            if let open = bracket {
                if byte == UInt8(ascii: "{"), arrays.count < 2 { arrays.append((key, open)) }
                bracket = nil
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                if depth == 1, !isValue { key = [] }
            case UInt8(ascii: ":"): if depth == 1 { isValue = true }
            case UInt8(ascii: ","): if depth == 1 { isValue = false }
            case UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "["):
                if depth == 1, isValue { bracket = base + place - 1 }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return base + place }
            default: break
            }
        }
        return nil
    }
}
