/// Filters that write a text in another form.
extension Jinja {
    private typealias Filter = Callable<Value>

    static let layoutFilters: [String: Callable<Value>] = [
        "center": Filter("width?") { renderer, value, arguments in
            .string(try renderer.centered(renderer.text(value), arguments.given(0) ?? 80))
        },
        "truncate": Filter("length? killwords? end? leeway?") { try $0.truncated($1, $2) },
        "wordcount": Filter("") { renderer, value, _ in
            let scalars = try renderer.paidText(value).unicodeScalars
            let words = scalars.split { !($0 == "_" || $0.isLetter || $0.properties.numericType != nil) }
            return .integer(words.count)
        },
        // What is escaped stays a plain string: no later filter takes it for HTML.
        "escape": Filter("") { renderer, value, _ in .string(try renderer.escaped(renderer.text(value))) },
        "urlencode": Filter("") { renderer, value, _ in
            switch value {
            case .list, .tuple, .dictionary, .view, .range, .iterator, .undefined, .loop:
                var elements: [Value]
                if case .dictionary(let dictionary) = value {
                    elements = try renderer.pairs(of: dictionary)
                } else {
                    elements = try renderer.elements(of: value)
                }
                let parts = try elements.map { element in
                    let pair = try renderer.elements(of: element)
                    guard pair.count == 2 else { throw JinjaError("\"urlencode\" needs pairs of a name and a value.") }
                    return try pair.map { try renderer.quoted($0, inQuery: true) }.joined(separator: "=")
                }
                return .string(parts.joined(separator: "&"))
            default: return .string(try renderer.quoted(value, inQuery: false))
            }
        },
    ]
}

extension Jinja.Renderer {
    fileprivate func truncated(_ value: Value, _ arguments: BoundArguments) throws -> Value {
        let end = try arguments[2] == nil ? "..." : arguments.requiredString(2)
        let (length, leeway) = (try arguments.given(0) ?? 255, try arguments.integer(3) ?? 5)
        let kept = length.subtractingReportingOverflow(end.unicodeScalars.count).partialValue
        guard length >= 0, kept >= 0, leeway >= 0 else {
            throw JinjaError("\"length\" of \"truncate\" must not be below that of its end, nor \"leeway\" below 0.")
        }
        let count = try self.length(of: value)
        if count <= length || count - length <= leeway { return value }
        guard let text = value.string else {
            throw JinjaError("\"truncate\" needs a string, not a value of type \(value.typeName).")
        }
        try budget.allocate(text.utf8.count + end.utf8.count)
        let start = String(text.unicodeScalars.prefix(kept))
        if isTrue(arguments[1] ?? .none) { return .string(start + end) }
        let space = start.unicodeScalars.lastIndex(of: " ")
        return .string((space.map { String(start.unicodeScalars[..<$0]) } ?? start) + end)
    }

    fileprivate func escaped(_ text: String) throws -> String {
        let escapes: [UInt8: String] = [0x26: "&amp;", 0x3C: "&lt;", 0x3E: "&gt;", 0x27: "&#39;", 0x22: "&#34;"]
        try budget.allocate(text.utf8.count, each: 5)
        var result: [UInt8] = []
        for byte in text.utf8 { if let escape = escapes[byte] { result += escape.utf8 } else { result.append(byte) } }
        return String(decoding: result, as: UTF8.self)
    }

    /// A text as it stands in a URL's path or in its query.
    fileprivate func quoted(_ value: Value, inQuery: Bool) throws -> String {
        let text = try text(value)
        try budget.allocate(text.utf8.count, each: 3)
        var result = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-", "~": result.unicodeScalars.append(scalar)
            case "/" where !inQuery: result.unicodeScalars.append(scalar)
            case " " where inQuery: result += "+"
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += "%\(digits.utf8.count < 2 ? "0" : "")\(digits)"
            }
        }
        return result
    }
}
