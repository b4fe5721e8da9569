/// What a template is given: JSON's kinds of values, with objects in the order of their entries, which `tojson` and
/// loops show.
enum JinjaValue: Sendable, Hashable {
    struct Entry: Sendable, Hashable {
        var key: String
        var value: JinjaValue
    }

    case none
    case boolean(Bool)
    case integer(Int)
    case double(Double)
    case string(String)
    case array([JinjaValue])
    /// A key that comes twice keeps its first place and its last value.
    case object([Entry])
}

extension JinjaValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    init(stringLiteral value: String) { self = .string(value) }
    init(integerLiteral value: Int) { self = .integer(value) }
    init(floatLiteral value: Double) { self = .double(value) }
    init(booleanLiteral value: Bool) { self = .boolean(value) }
    init(arrayLiteral elements: JinjaValue...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, JinjaValue)...) {
        self = .object(elements.map { Entry(key: $0.0, value: $0.1) })
    }
    init(nilLiteral: ()) { self = .none }
}
