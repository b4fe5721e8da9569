extension Jinja {
    /// Python's `json.dumps`.
    struct JSONWriter {
        let renderer: Renderer
        /// Whether what is not ASCII is escaped.
        var isASCII = false
        var sortsKeys = false
        /// What each level is indented by; `nil` writes everything in one line.
        var indent: String?
        var itemSeparator = ", "
        var keySeparator = ": "
        private var output: [UInt8] = []

        init(renderer: Renderer) { self.renderer = renderer }

        mutating func text(of value: Value) throws -> String {
            try write(value, depth: 0)
            return String(decoding: output, as: UTF8.self)
        }

        private mutating func write(_ value: Value, depth: Int) throws {
            try renderer.budget.spend()
            switch value {
            case .none: try write("null")
            case .boolean(let value): try write(value ? "true" : "false")
            case .integer(let value): try write(String(value))
            case .double(let value): try write(Self.number(value))
            case .string(let value): try write(string: value)
            case .list(let items), .tuple(let items):
                try write("[", items.values, "]", depth) { writer, item in try writer.write(item, depth: depth + 1) }
            case .dictionary(let dictionary):
                var pairs = Array(zip(dictionary.keys, dictionary.values))
                if sortsKeys { try pairs.sort { try renderer.isLess($0.0, $1.0) } }
                try write("{", pairs, "}", depth) { writer, pair in
                    try writer.write(string: writer.key(pair.0))
                    try writer.write(writer.keySeparator)
                    try writer.write(pair.1, depth: depth + 1)
                }
            default: throw JinjaError("a value of type \(value.typeName) cannot be written as JSON.")
            }
        }

        private mutating func write<Item>(
            _ opening: String, _ items: [Item], _ closing: String, _ depth: Int,
            _ writeItem: (inout Self, Item) throws -> Void
        ) throws {
            try write(opening)
            for (index, item) in items.enumerated() {
                if index > 0 { try write(itemSeparator) }
                try newLine(depth + 1)
                try writeItem(&self, item)
            }
            if !items.isEmpty { try newLine(depth) }
            try write(closing)
        }

        private mutating func newLine(_ depth: Int) throws {
            guard let indent else { return }
            try renderer.budget.allocate(indent.utf8.count, each: depth)
            try write("\n")
            for _ in 0..<depth where !indent.isEmpty { output.append(contentsOf: indent.utf8) }
        }

        private func key(_ value: Value) throws -> String {
            switch value {
            case .none: return "null"
            case .boolean(let value): return value ? "true" : "false"
            case .integer(let value): return String(value)
            case .double(let value): return Self.number(value)
            case .string(let value): return value
            default: throw JinjaError("a key of type \(value.typeName) cannot be written as JSON.")
            }
        }

        private static func number(_ value: Double) -> String {
            value.isFinite ? value.pythonDescription : value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
        }

        private mutating func write(_ text: String) throws {
            try renderer.budget.allocate(text.utf8.count)
            output.append(contentsOf: text.utf8)
        }

        private static let escapes: [UInt8: String] = [
            0x22: "\\\"", 0x5C: "\\\\", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t",
        ]

        private mutating func write(string text: String) throws {
            try renderer.budget.allocate(text.utf8.count + 2, each: 2)
            output.append(UInt8(ascii: "\""))
            if isASCII {
                for unit in text.utf16 {
                    if let byte = UInt8(exactly: unit), byte < 0x80 { append(byte) } else { appendEscape(unit) }
                }
            } else {
                for byte in text.utf8 { append(byte) }
            }
            output.append(UInt8(ascii: "\""))
        }

        private mutating func append(_ byte: UInt8) {
            if let escape = Self.escapes[byte] {
                output.append(contentsOf: escape.utf8)
            } else if byte < 0x20 {
                appendEscape(UInt16(byte))
            } else {
                output.append(byte)
            }
        }

        private mutating func appendEscape(_ unit: UInt16) {
            let digits = String(unit, radix: 16)
            output.append(contentsOf: "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8)
        }
    }
}
