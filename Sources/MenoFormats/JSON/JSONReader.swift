/// Reads JSON values like Python's `json`: accepts `NaN`, `Infinity` and `-Infinity`, and uses the last value of repeated keys.
///
/// Objects keep the order of their members. Nesting is limited, so that no text can exhaust the stack.
package struct JSONReader {
    /// An error in a text, and its position.
    package struct Fault: Error, Hashable {
        /// The byte offset.
        package var offset: Int
        /// `expected ',' or '}', found 'x'`
        package var message: String

        package init(offset: Int, message: String) {
            self.offset = offset
            self.message = message
        }
    }

    private static let depthLimit = 100

    private let bytes: UnsafeRawBufferPointer
    /// The next byte to read.
    package private(set) var offset: Int
    /// Keys that an object had more than once; their last value is used.
    package private(set) var repeatedKeys: [String] = []

    package init(_ bytes: UnsafeRawBufferPointer, from offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The value of a complete text.
    package static func value(of text: String) throws(Fault) -> JSONValue {
        var text = text
        let result = text.withUTF8 { buffer in
            Result { () throws(Fault) in
                var reader = JSONReader(UnsafeRawBufferPointer(buffer))
                let value = try reader.value()
                try reader.end("the text")
                return value
            }
        }
        return try result.get()
    }

    /// The next value.
    package mutating func value() throws(Fault) -> JSONValue { try value(depth: 0) }

    /// Requires that nothing but white space is left.
    /// - Parameter name: what should end, for the error: `the line`.
    package mutating func end(_ name: String) throws(Fault) {
        skipSpace()
        guard offset >= bytes.count else { throw fault("the end of \(name)") }
    }

    /// Whether nothing but white space is left.
    package mutating func isAtEnd() -> Bool {
        skipSpace()
        return offset >= bytes.count
    }

    private mutating func value(depth: Int) throws(Fault) -> JSONValue {
        guard depth < Self.depthLimit else {
            throw Fault(offset: offset, message: "the values are nested more than \(Self.depthLimit) deep")
        }
        skipSpace()
        switch peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case let byte? where byte == UInt8(ascii: "-") || Self.isDigit(byte): return try number()
        default:
            for (word, value) in Self.words where accept(word) { return value }
            throw fault("a value")
        }
    }

    private static let words: [(StaticString, JSONValue)] = [
        ("true", .boolean(true)), ("false", .boolean(false)), ("null", .null), ("NaN", .number(.nan)),
        ("Infinity", .number(.infinity)),
    ]

    private mutating func object(depth: Int) throws(Fault) -> JSONValue {
        offset += 1
        var members: [JSONValue.Member] = []
        // An index for objects with many members; a few are searched directly.
        var places: [[UInt8]: Int] = [:]
        if accept("}") { return .object(members) }
        while true {
            skipSpace()
            guard peek() == UInt8(ascii: "\"") else { throw fault("a key in double quotes") }
            let key = try string()
            guard accept(":") else { throw fault("':'") }
            let member = JSONValue.Member(key, try value(depth: depth + 1))
            // Keys are compared by bytes, since Swift's string comparison would merge canonically equivalent ones.
            if let place = Self.place(of: key, in: members, &places) {
                repeatedKeys.append(key)
                members[place] = member
            } else {
                members.append(member)
            }
            if accept("}") { return .object(members) }
            guard accept(",") else { throw fault("',' or '}'") }
        }
    }

    private static func place(
        of key: String, in members: [JSONValue.Member], _ places: inout [[UInt8]: Int]
    ) -> Int? {
        guard members.count >= 16 else {
            return members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
        }
        for place in places.count..<members.count { places[Array(members[place].key.utf8)] = place }
        return places[Array(key.utf8)]
    }

    private mutating func array(depth: Int) throws(Fault) -> JSONValue {
        offset += 1
        var values: [JSONValue] = []
        if accept("]") { return .array(values) }
        while true {
            values.append(try value(depth: depth + 1))
            if accept("]") { return .array(values) }
            guard accept(",") else { throw fault("',' or ']'") }
        }
    }

    // MARK: Places

    /// A step from a value to one inside it.
    package enum PathStep: Sendable, Hashable {
        case member(String)
        case element(Int)
    }

    /// The byte offset of a value; `nil` if there is none. The last of repeated keys is used.
    package static func offset(of path: [PathStep], in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        var reader = JSONReader(bytes, from: start)
        for step in path {
            guard let inner = try? reader.offset(of: step) else { return nil }
            reader.offset = inner
        }
        reader.skipSpace()
        return reader.offset
    }

    private func offset(of step: PathStep) throws(Fault) -> Int? {
        var reader = self
        let (begin, end): (StaticString, StaticString) = if case .member = step { ("{", "}") } else { ("[", "]") }
        guard reader.accept(begin), !reader.accept(end) else { return nil }
        var (found, count): (Int?, Int) = (nil, 0)
        repeat {
            switch step {
            case .member(let name):
                guard case .string(let key) = try reader.value(), reader.accept(":") else { return nil }
                if key == name { found = reader.offset }
            case .element(let index):
                if index == count { return reader.offset }
            }
            _ = try reader.value()
            count += 1
        } while reader.accept(",")
        return found
    }

    // MARK: Numbers

    private mutating func number() throws(Fault) -> JSONValue {
        let start = offset
        if peek() == UInt8(ascii: "-") { offset += 1 }
        if accept("Infinity", skipsSpace: false) { return .number(-.infinity) }
        var isWhole = true
        if peek() == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits()
        }
        if peek() == UInt8(ascii: ".") {
            offset += 1
            isWhole = false
            try digits()
        }
        if let byte = peek(), byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            offset += 1
            isWhole = false
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isWhole, let value = Int(text) { return .integer(value) }
        return .number(Double(text) ?? .nan)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func digits() throws(Fault) {
        let start = offset
        while let byte = peek(), Self.isDigit(byte) { offset += 1 }
        guard offset > start else { throw fault("a digit") }
    }

    // MARK: Strings

    private mutating func string() throws(Fault) -> String {
        offset += 1
        let start = offset
        // Most strings have no escapes.
        offset = JSONText.plainEnd(bytes, from: offset)
        if peek() == UInt8(ascii: "\"") {
            defer { offset += 1 }
            guard let string = String(validating: bytes[start..<offset], as: UTF8.self) else {
                throw Fault(offset: start, message: "this string is not UTF-8")
            }
            return string
        }
        var text = [UInt8](bytes[start..<offset])
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else {
                throw Fault(
                    offset: offset,
                    message: byte == 0x0A || byte == 0x0D
                        ? "a string is not closed on its line; a line end within a string is written \\n"
                        : "a control character within a string must be escaped, found \(found)")
            }
            if byte == UInt8(ascii: "\\") {
                try escape(&text)
            } else {
                let end = JSONText.plainEnd(bytes, from: offset)
                text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                offset = end
            }
        }
        guard peek() != nil else { throw fault("'\"' at the end of a string") }
        offset += 1
        guard let string = String(validating: text, as: UTF8.self) else {
            throw Fault(offset: start, message: "this string is not UTF-8")
        }
        return string
    }

    /// What a letter behind a backslash stands for.
    private static func escaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    private mutating func escape(_ text: inout [UInt8]) throws(Fault) {
        let start = offset
        offset += 1
        if let byte = peek(), let value = Self.escaped(byte) {
            text.append(value)
            offset += 1
            return
        }
        guard accept("u", skipsSpace: false) else {
            throw fault("one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u", at: start)
        }
        var value = try hexadecimal()
        if (0xD800..<0xDC00).contains(value), accept("\\u", skipsSpace: false) {
            let low = try hexadecimal()
            guard (0xDC00..<0xE000).contains(low) else { throw half(start) }
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw half(start) }
        UTF8.encode(scalar).map { text.append(contentsOf: $0) }
    }

    private func half(_ offset: Int) -> Fault {
        Fault(offset: offset, message: "this escape is half of a surrogate pair: the text was cut within a character")
    }

    private mutating func hexadecimal() throws(Fault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Self.hexadecimalDigit(byte) else {
                throw fault("four hexadecimal digits")
            }
            value = value << 4 | digit
            offset += 1
        }
        return value
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    // MARK: Bytes

    private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipSpace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func accept(_ text: StaticString, skipsSpace: Bool = true) -> Bool {
        if skipsSpace { skipSpace() }
        let count = text.utf8CodeUnitCount
        guard offset + count <= bytes.count else { return false }
        for index in 0..<count where bytes[offset + index] != text.utf8Start[index] { return false }
        offset += count
        return true
    }

    private func fault(_ expected: String, at place: Int? = nil) -> Fault {
        Fault(offset: place ?? offset, message: "expected \(expected), found \(Self.found(bytes, at: place ?? offset))")
    }

    private var found: String { Self.found(bytes, at: offset) }

    /// The character at a byte, for messages.
    package static func found(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> String {
        guard offset < bytes.count else { return "its end" }
        let next = String(decoding: bytes[offset..<min(bytes.count, offset + 4)], as: UTF8.self).unicodeScalars.first
        guard let next, next != "\u{FFFD}" else { return "byte 0x\(String(bytes[offset], radix: 16))" }
        switch next {
        case "\n", "\r": return "the end of the line"
        case "\t": return "a tab"
        default:
            return next.properties.isWhitespace || next.value < 0x20
                ? "character U+\(String(next.value, radix: 16, uppercase: true))" : "'\(next)'"
        }
    }
}
