/// A JSON value whose objects keep the order of their members.
public indirect enum JSONValue: Sendable, Hashable {
    /// A name and its value in an object.
    public struct Member: Sendable, Hashable {
        /// The name.
        public var key: String
        /// The value.
        public var value: JSONValue

        /// A name and its value.
        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case boolean(Bool)
    case integer(Int)
    /// A floating-point number; also whole numbers beyond 64 bits, and NaN and the infinities, which Python reads and writes.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// The text of a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    /// The elements of an array.
    public var array: [JSONValue]? { if case .array(let values) = self { values } else { nil } }
    /// The members of an object.
    public var object: [Member]? { if case .object(let members) = self { members } else { nil } }
    /// Whether it is `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The value of an object's member; `nil` if there is none.
    public subscript(key: String) -> JSONValue? { object?.first { $0.key == key }?.value }

    /// The kind of value, with its article: `a string`.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .boolean: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The JSON text on one line, formatted like Python's `json.dumps(value, ensure_ascii=False)`.
    public var description: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .number(let value):
            value.isFinite ? "\(value)" : value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
        case .string(let text): Self.quoted(text)
        case .array(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
        case .object(let members):
            "{" + members.map { "\(Self.quoted($0.key)): \($0.value)" }.joined(separator: ", ") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\0"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
