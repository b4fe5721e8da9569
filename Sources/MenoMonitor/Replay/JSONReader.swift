/// Reads JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` are numbers. Of repeated keys the last counts.
///
/// Nesting is bounded, and every value takes at least a byte of the text, so memory is bounded by the text's size.
struct JSONReader {
    private static let depthLimit = 64
    private let bytes: [UInt8]
    private var offset = 0

    /// - Throws: ``MonitorError`` with line and column.
    static func read(_ bytes: [UInt8]) throws -> JSONValue {
        var reader = JSONReader(bytes: bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { reader.offset = 3 }
        let value = try reader.value(depth: 0)
        reader.skipWhitespace()
        guard reader.offset == bytes.count else { throw reader.unexpected("the end of the file") }
        return value
    }

    /// `line 3, column 7`, both from 1, the column in bytes.
    static func place(of offset: Int, in bytes: [UInt8]) -> String {
        let before = bytes.prefix(max(0, offset))
        let line = before.reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
        let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
        return "line \(line), column \(column)"
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    // MARK: Values

    private mutating func value(depth: Int) throws -> JSONValue {
        guard depth < Self.depthLimit else { throw unexpected("at most \(Self.depthLimit) levels of nesting") }
        skipWhitespace()
        let start = offset
        let content: JSONValue.Content
        switch peek() {
        case UInt8(ascii: "{"): content = .object(try object(depth: depth))
        case UInt8(ascii: "["): content = .array(try array(depth: depth))
        case UInt8(ascii: "\""): content = .string(try string())
        case let byte? where Self.isScalar(byte): content = try scalar()
        default: throw unexpected("a value")
        }
        return JSONValue(content: content, offset: start)
    }

    private mutating func object(depth: Int) throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        offset += 1
        if accept(UInt8(ascii: "}")) { return members }
        repeat {
            skipWhitespace()
            guard peek() == UInt8(ascii: "\"") else { throw unexpected("a key in quotation marks") }
            let key = try string()
            guard accept(UInt8(ascii: ":")) else { throw unexpected("':' after a key") }
            members[key] = try value(depth: depth + 1)
        } while accept(UInt8(ascii: ","))
        guard accept(UInt8(ascii: "}")) else { throw unexpected("',' or '}'") }
        return members
    }

    private mutating func array(depth: Int) throws -> [JSONValue] {
        var elements: [JSONValue] = []
        offset += 1
        if accept(UInt8(ascii: "]")) { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while accept(UInt8(ascii: ","))
        guard accept(UInt8(ascii: "]")) else { throw unexpected("',' or ']'") }
        return elements
    }

    private mutating func scalar() throws -> JSONValue.Content {
        let start = offset
        while let byte = peek(), Self.isScalar(byte) { offset += 1 }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "null": return .null
        case "NaN": return .number(.nan)
        case "Infinity": return .number(.infinity)
        case "-Infinity": return .number(-.infinity)
        default:
            // `Double` also takes spellings that JSON lacks; only those that begin like a JSON number pass.
            let digits = text.first == "-" ? text.dropFirst() : text[...]
            guard let first = digits.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first),
                !digits.contains("x"), !digits.contains("p"), let number = Double(text)
            else { throw unexpected("a value", at: start) }
            return .number(number)
        }
    }

    // MARK: Strings

    private mutating func string() throws -> String {
        let start = offset
        offset += 1
        var text: [UInt8] = []
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw unexpected("a character; control characters must be escaped") }
            offset += 1
            if byte == UInt8(ascii: "\\") { try escape(into: &text) } else { text.append(byte) }
        }
        guard peek() == UInt8(ascii: "\"") else { throw unexpected("the end of a text") }
        offset += 1
        guard let string = String(validating: text, as: UTF8.self) else {
            throw malformed("this text is not UTF-8.", at: start)
        }
        return string
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = peek() else { throw unexpected("an escaped character") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Array(String(try escapedScalar()).utf8))
        default: throw unexpected("an escaped character", at: offset - 1)
        }
    }

    private mutating func escapedScalar() throws -> Unicode.Scalar {
        let start = offset - 2
        var code = try hexadecimal()
        if (0xD800..<0xDC00).contains(code), peek() == UInt8(ascii: "\\"), peek(after: 1) == UInt8(ascii: "u") {
            offset += 2
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw malformed("this surrogate pair is broken.", at: start) }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw malformed("this is half of a surrogate pair.", at: start) }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected("four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    // MARK: Characters

    private func peek(after distance: Int = 0) -> UInt8? {
        offset + distance < bytes.count ? bytes[offset + distance] : nil
    }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func accept(_ byte: UInt8) -> Bool {
        skipWhitespace()
        guard peek() == byte else { return false }
        offset += 1
        return true
    }

    private static func isScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    // MARK: Errors

    private func unexpected(_ expected: String, at place: Int? = nil) -> MonitorError {
        let place = place ?? offset
        guard place < bytes.count else {
            return malformed("the file ends where \(expected) was expected.", at: bytes.count)
        }
        let byte = bytes[place]
        let found = (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte 0x\(String(byte, radix: 16))"
        return malformed("expected \(expected), found \(found).", at: place)
    }

    private func malformed(_ message: String, at offset: Int) -> MonitorError {
        MonitorError(
            .malformed, place: Self.place(of: offset, in: bytes), message,
            advice: "The file may be cut short or damaged; take it from the checkpoint before.")
    }
}
