/// Reads JSON in place, without building a tree.
///
/// Weight files and vocabularies need it for two things that a general decoder does not give: repeated keys are detected, and
/// memory is bounded by the size of the text (no recursion beyond a fixed depth, no containers in the parser).
package struct JSONScanner {
    private static let depthLimit = 32
    private static let digits = UInt8(ascii: "0")...UInt8(ascii: "9")

    private let bytes: UnsafeRawBufferPointer
    private let path: String
    /// A name for the text in messages: `header`, `index`.
    private let name: String
    package private(set) var offset = 0

    package init(_ bytes: UnsafeRawBufferPointer, path: String, name: String) {
        self.bytes = bytes
        self.path = path
        self.name = name
    }

    /// The kind of value that comes next.
    package enum Kind { case object, array, string, number, literal }

    package mutating func kind() throws -> Kind {
        skipWhitespace()
        switch peek() {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return .literal
        case let byte? where byte == UInt8(ascii: "-") || Self.digits.contains(byte): return .number
        default: throw unexpected("a value")
        }
    }

    /// Reads an object; `member` must consume each value.
    package mutating func object(_ member: (inout JSONScanner, String) throws -> Void) throws {
        try expect("{", "an object")
        if accept("}") { return }
        repeat {
            let key = try string()
            try expect(":", "':' after a key")
            try member(&self, key)
        } while accept(",")
        try expect("}", "',' or '}'")
    }

    /// Reads an array; `element` must consume each value.
    package mutating func array(_ element: (inout JSONScanner) throws -> Void) throws {
        try expect("[", "an array")
        if accept("]") { return }
        repeat { try element(&self) } while accept(",")
        try expect("]", "',' or ']'")
    }

    package mutating func string() throws -> String {
        let start = try stringStart()
        // Most strings have no escapes: they are validated in place.
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { offset += 1 }
        guard peek() == UInt8(ascii: "\\") else {
            let end = offset
            try expectQuote()
            return try decode(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: start)
        }
        var text = [UInt8](bytes[start..<offset])
        while let byte = peek(), byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw unexpected("a character (control characters must be escaped)") }
            offset += 1
            if byte == UInt8(ascii: "\\") { try appendEscape(to: &text) } else { text.append(byte) }
        }
        try expectQuote()
        return try text.withUnsafeBytes { try decode($0, at: start) }
    }

    /// A whole number of 0 or more that fits `Int`.
    package mutating func count() throws -> Int {
        skipWhitespace()
        let start = offset
        var value = 0
        while let digit = peek(), Self.digits.contains(digit) {
            let (shifted, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = shifted.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { throw unexpected("a number below 2^63", at: start) }
            value = sum
            offset += 1
        }
        let continues = peek().map { [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0) } ?? false
        guard offset > start, !continues else { throw unexpected("a whole number of 0 or more", at: start) }
        return value
    }

    /// A number of any kind.
    package mutating func number() throws -> Double {
        skipWhitespace()
        let start = offset
        try skip()
        guard let value = Double(String(decoding: bytes[start..<offset], as: UTF8.self)) else {
            throw unexpected("a number", at: start)
        }
        return value
    }

    /// Skips a value of any kind.
    /// - Returns: its text, for another reader.
    package mutating func raw() throws -> UnsafeRawBufferPointer {
        skipWhitespace()
        let start = offset
        try skip()
        return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
    }

    /// Skips a value of any kind.
    package mutating func skip(depth: Int = 0) throws {
        guard depth < Self.depthLimit else { throw unexpected("at most \(Self.depthLimit) levels of nesting") }
        switch try kind() {
        case .object: try object { scanner, _ in try scanner.skip(depth: depth + 1) }
        case .array: try array { scanner in try scanner.skip(depth: depth + 1) }
        case .string: _ = try string()
        case .number, .literal:
            let start = offset
            while let byte = peek(), isScalarByte(byte) { offset += 1 }
            try checkScalar(start..<offset)
        }
    }

    /// Requires that nothing but white space is left.
    package mutating func end() throws {
        skipWhitespace()
        guard offset == bytes.count else { throw unexpected("the end of the \(name)") }
    }

    /// An error at a byte (the current one unless given).
    func malformed(_ message: String, at place: Int? = nil) -> FormatError {
        FormatError(
            .malformed, at: path, "byte \(place ?? offset) of the \(name): \(message)", advice: FormatError.damaged)
    }

    // MARK: Characters

    private func peek() -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipWhitespace()
        guard peek() == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, _ what: String) throws {
        guard accept(character) else { throw unexpected(what) }
    }

    private mutating func stringStart() throws -> Int {
        try expect("\"", "a string")
        return offset
    }

    private mutating func expectQuote() throws {
        guard peek() == UInt8(ascii: "\"") else { throw unexpected("the end of a string") }
        offset += 1
    }

    private func unexpected(_ expected: String, at place: Int? = nil) -> FormatError {
        let place = place ?? offset
        guard place < bytes.count else { return malformed("expected \(expected), found the end of the \(name).") }
        let byte = bytes[place]
        let found = (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte 0x\(String(byte, radix: 16))"
        return malformed("expected \(expected), found \(found).", at: place)
    }

    private func decode(_ text: UnsafeRawBufferPointer, at start: Int) throws -> String {
        guard let string = String(validating: text, as: UTF8.self) else {
            throw malformed("this string is not UTF-8.", at: start)
        }
        return string
    }

    private mutating func appendEscape(to text: inout [UInt8]) throws {
        guard let byte = peek() else { throw unexpected("an escaped character") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var value = try hexadecimal()
            if (0xD800..<0xDC00).contains(value), peek() == UInt8(ascii: "\\") {
                offset += 1
                guard peek() == UInt8(ascii: "u") else { throw unexpected("the second half of a surrogate pair") }
                offset += 1
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw malformed("this surrogate pair is incomplete.", at: offset - 6)
                }
                value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else {
                throw malformed("this escape is half of a surrogate pair.", at: offset - 6)
            }
            text.append(contentsOf: UTF8.encode(scalar)!)
        default: throw unexpected("an escaped character", at: offset - 1)
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    private func isScalarByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private func checkScalar(_ range: Range<Int>) throws {
        let text = String(decoding: bytes[range], as: UTF8.self)
        if ["true", "false", "null"].contains(text) { return }
        // `Double` also takes spellings that JSON lacks; only those that begin like a JSON number pass.
        guard let first = text.drop(while: { $0 == "-" }).first, first.isNumber, Double(text) != nil else {
            throw unexpected("a value", at: range.lowerBound)
        }
    }
}
