extension Jinja {
    /// Cuts a template into text and tags, with `trim_blocks` and `lstrip_blocks` on and no trailing newline kept, as
    /// transformers sets jinja2 up.
    struct Lexer {
        private let source: [Unicode.Scalar]
        private var position = 0
        private var line = 1
        private var tokens: [Token] = []
        /// Whether what was read last ended a line: only then, or after a newline in the text itself, is white space
        /// before a block the line's indentation.
        private var startsLine = true

        static func tokens(of source: String) throws -> [Token] {
            var lexer = Lexer(source)
            while lexer.position < lexer.source.count { try lexer.readTextAndTag() }
            lexer.emit(.end, "")
            return lexer.tokens
        }

        private init(_ text: String) {
            var scalars: [Unicode.Scalar] = []
            scalars.reserveCapacity(text.utf8.count)
            var previous: Unicode.Scalar = "\n"
            for scalar in text.unicodeScalars {
                if scalar != "\n" || previous != "\r" { scalars.append(scalar == "\r" ? "\n" : scalar) }
                previous = scalar
            }
            if scalars.last == "\n" { scalars.removeLast() }
            source = scalars
        }

        private func at(_ index: Int) -> Unicode.Scalar? { index < source.count ? source[index] : nil }

        private func has(_ text: StaticString, at index: Int) -> Bool {
            var index = index
            return text.withUTF8Buffer { bytes in
                for byte in bytes {
                    guard at(index)?.value == UInt32(byte) else { return false }
                    index += 1
                }
                return true
            }
        }

        private func afterSpace(_ index: Int) -> Int {
            var index = index
            while let scalar = at(index), scalar.isPythonSpace { index += 1 }
            return index
        }

        private mutating func emit(_ kind: Token.Kind, _ text: String) {
            tokens.append(Token(kind: kind, text: text, line: line))
        }

        private mutating func advance(to end: Int) {
            for scalar in source[position..<end] where scalar == "\n" { line += 1 }
            if end > position { startsLine = source[end - 1] == "\n" }
            position = end
        }

        private func text(_ range: Swift.Range<Int>) -> String {
            var text = String.UnicodeScalarView()
            text.append(contentsOf: source[range])
            return String(text)
        }

        // MARK: Text

        private mutating func readTextAndTag() throws {
            var tag = position
            while tag < source.count,
                !(source[tag] == "{" && (at(tag + 1).map { "{%#".unicodeScalars.contains($0) } ?? false))
            {
                tag += 1
            }
            guard tag < source.count else {
                emit(.data, text(position..<tag))
                return advance(to: tag)
            }
            let kind = source[tag + 1]
            let sign = at(tag + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
            emitText(upTo: tag, sign: sign, isVariable: kind == "{")
            advance(to: tag + (sign == nil ? 2 : 3))
            switch kind {
            case "#": try readComment()
            case "{":
                emit(.variableBegin, "")
                try readTag(isBlock: false)
            default:
                if let start = rawStart() {
                    advance(to: start)
                    try readRaw()
                } else {
                    emit(.blockBegin, "")
                    try readTag(isBlock: true)
                }
            }
        }

        /// Emits the text before a tag, without the white space that the tag takes away.
        private mutating func emitText(upTo tag: Int, sign: Unicode.Scalar?, isVariable: Bool) {
            var end = tag
            if sign == "-" {
                while end > position, source[end - 1].isPythonSpace { end -= 1 }
            } else if sign == nil, !isVariable {
                let lineStart = source[position..<tag].lastIndex(of: "\n").map { $0 + 1 } ?? position
                if lineStart > position || startsLine, source[lineStart..<tag].allSatisfy(\.isPythonSpace) {
                    end = lineStart
                }
            }
            if end > position { emit(.data, text(position..<end)) }
            advance(to: tag)
        }

        private mutating func readComment() throws {
            let start = position
            var end = start
            while end < source.count, !has("#}", at: end) { end += 1 }
            guard end < source.count else {
                throw JinjaError(.syntax, "a comment is not closed: \"#}\" is missing.", line: line)
            }
            let sign = end > start ? source[end - 1] : nil
            advance(to: afterTag(end + 2, sign: sign))
        }

        /// Where text goes on after a block's or a comment's end, whose sign says what is taken away.
        private func afterTag(_ end: Int, sign: Unicode.Scalar?) -> Int {
            if sign == "-" { return afterSpace(end) }
            return sign != "+" && at(end) == "\n" ? end + 1 : end
        }

        /// Where raw text starts, if the tag just opened is `raw`.
        private func rawStart() -> Int? {
            let name = afterSpace(position)
            guard has("raw", at: name) else { return nil }
            let end = afterSpace(name + 3)
            if has("-%}", at: end) { return afterSpace(end + 3) }
            return has("%}", at: end) ? end + 2 : nil
        }

        private mutating func readRaw() throws {
            var tag = position
            while tag < source.count {
                guard has("{%", at: tag) else {
                    tag += 1
                    continue
                }
                let sign = at(tag + 2).flatMap { $0 == "-" || $0 == "+" ? $0 : nil }
                let name = afterSpace(tag + (sign == nil ? 2 : 3))
                if has("endraw", at: name), let end = blockEnd(afterSpace(name + 6)) {
                    emitText(upTo: tag, sign: sign, isVariable: false)
                    return advance(to: end)
                }
                tag += 2
            }
            throw JinjaError(.syntax, "a raw block is not closed: \"{% endraw %}\" is missing.", line: line)
        }

        private func blockEnd(_ index: Int) -> Int? {
            if has("%}", at: index) { return afterTag(index + 2, sign: nil) }
            guard let sign = at(index), sign == "-" || sign == "+", has("%}", at: index + 1) else { return nil }
            return afterTag(index + 3, sign: sign)
        }

        private func variableEnd(_ index: Int) -> Int? {
            if has("}}", at: index) { return index + 2 }
            return has("-}}", at: index) ? afterSpace(index + 3) : nil
        }

        // MARK: Tags

        private mutating func readTag(isBlock: Bool) throws {
            var open: [Unicode.Scalar] = []
            while let scalar = at(position) {
                // Inside brackets `}}` and `%}` are operators.
                if open.isEmpty, let end = isBlock ? blockEnd(position) : variableEnd(position) {
                    emit(isBlock ? .blockEnd : .variableEnd, "")
                    return advance(to: end)
                }
                if scalar.isPythonSpace {
                    advance(to: afterSpace(position))
                } else if scalar.isASCIIDigit {
                    readNumber()
                } else if scalar == "_" || scalar.properties.isXIDStart {
                    readName()
                } else if scalar == "'" || scalar == "\"" {
                    try readString(quote: scalar)
                } else {
                    try readSymbol(&open)
                }
            }
        }

        private mutating func readName() {
            var end = position + 1
            while let scalar = at(end), scalar.properties.isXIDContinue { end += 1 }
            emit(.name, text(position..<end))
            advance(to: end)
        }

        /// The end of digits that single underscores may separate; `index` itself where there are none.
        private func afterDigits(_ index: Int, where isDigit: (Unicode.Scalar) -> Bool = \.isASCIIDigit) -> Int {
            var end = index
            while let scalar = at(end) {
                if isDigit(scalar) {
                    end += 1
                } else if scalar == "_", end > index, let next = at(end + 1), isDigit(next) {
                    end += 2
                } else {
                    break
                }
            }
            return end
        }

        private mutating func readNumber() {
            let whole = afterDigits(position)
            var end = whole
            if position == 0 || source[position - 1] != "." {
                if at(end) == ".", afterDigits(end + 1) > end + 1 { end = afterDigits(end + 1) }
                if at(end) == "e" || at(end) == "E" {
                    let sign = at(end + 1) == "+" || at(end + 1) == "-" ? 1 : 0
                    let exponent = afterDigits(end + 1 + sign)
                    if exponent > end + 1 + sign { end = exponent }
                }
            }
            if end > whole {
                emit(.float, text(position..<end).filter { $0 != "_" })
                return advance(to: end)
            }
            if source[position] == "0" {
                // A number of another base, or zeros: `012` is two numbers, and so an error later.
                let digits = afterDigits(position + 2, where: \.isHexDigit)
                let isBased = at(position + 1).map { "bBoOxX".unicodeScalars.contains($0) } ?? false
                end = isBased && digits > position + 2 ? digits : afterDigits(position, where: { $0 == "0" })
            }
            emit(.integer, text(position..<end).filter { $0 != "_" })
            advance(to: end)
        }

        private mutating func readSymbol(_ open: inout [Unicode.Scalar]) throws {
            let scalar = source[position]
            for pair: StaticString in ["//", "**", "==", "!=", ">=", "<="] where has(pair, at: position) {
                emit(.symbol, "\(pair)")
                return advance(to: position + 2)
            }
            guard "+-/*%~[](){}><=.:|,;".unicodeScalars.contains(scalar) else {
                throw JinjaError(.syntax, "\"\(scalar)\" has no meaning inside a tag.", line: line)
            }
            switch scalar {
            case "(": open.append(")")
            case "[": open.append("]")
            case "{": open.append("}")
            case ")", "]", "}":
                guard let expected = open.popLast() else {
                    throw JinjaError(.syntax, "\"\(scalar)\" closes nothing.", line: line)
                }
                guard expected == scalar else {
                    throw JinjaError(.syntax, "found \"\(scalar)\", expected \"\(expected)\".", line: line)
                }
            default: break
            }
            emit(.symbol, String(scalar))
            advance(to: position + 1)
        }

        // MARK: Strings

        private mutating func readString(quote: Unicode.Scalar) throws {
            var value = String.UnicodeScalarView()
            var index = position + 1
            while let scalar = at(index), scalar != quote {
                if scalar == "\\" {
                    try readEscape(&index, into: &value)
                } else {
                    value.append(scalar)
                    index += 1
                }
            }
            guard index < source.count else { throw JinjaError(.syntax, "a string is not closed.", line: line) }
            emit(.string, String(value))
            advance(to: index + 1)
        }

        private static let escapes: [Unicode.Scalar: Unicode.Scalar] = [
            "\\": "\\", "'": "'", "\"": "\"", "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t",
            "v": "\u{B}",
        ]

        /// Python's escapes; an unknown one stands for itself, backslash included.
        private func readEscape(_ index: inout Int, into value: inout String.UnicodeScalarView) throws {
            guard let name = at(index + 1) else {
                index += 1
                return
            }
            index += 2
            if let scalar = Self.escapes[name] { return value.append(scalar) }
            switch name {
            case "\n": return
            case "x": value.append(try codePoint(&index, digits: 2))
            case "u": value.append(try codePoint(&index, digits: 4))
            case "U": value.append(try codePoint(&index, digits: 8))
            case "0"..."7":
                var number = name.value - 48
                for _ in 0..<2 {
                    guard let digit = at(index), ("0"..."7").contains(digit) else { break }
                    number = number * 8 + digit.value - 48
                    index += 1
                }
                value.append(Unicode.Scalar(number) ?? "\u{FFFD}")
            case "N":
                throw JinjaError(
                    .unsupported, "strings with \\N{…} are not supported; write \\u and the number.", line: line)
            default:
                value.append("\\")
                value.append(name)
            }
        }

        private func codePoint(_ index: inout Int, digits: Int) throws -> Unicode.Scalar {
            let end = index + digits
            guard end <= source.count, source[index..<end].allSatisfy(\.isHexDigit),
                let number = UInt32(text(index..<end), radix: 16),
                let scalar = Unicode.Scalar(number) ?? surrogate(number)
            else {
                throw JinjaError(.syntax, "an escape in a string lacks its \(digits) hexadecimal digits.", line: line)
            }
            index = end
            return scalar
        }

        /// Half of a pair cannot stand in a Swift string: the replacement character stands for it.
        private func surrogate(_ number: UInt32) -> Unicode.Scalar? {
            (0xD800...0xDFFF).contains(number) ? "\u{FFFD}" : nil
        }
    }
}
