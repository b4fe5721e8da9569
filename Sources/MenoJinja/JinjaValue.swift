/// An input value of a template, as in JSON. Objects keep the order of their entries, which is visible in `tojson` and loops.
package enum JinjaValue: Sendable, Hashable {
    package struct Entry: Sendable, Hashable {
        package var key: String
        package var value: JinjaValue

        package init(key: String, value: JinjaValue) {
            self.key = key
            self.value = value
        }
    }

    case none
    case boolean(Bool)
    case integer(Int)
    case double(Double)
    case string(String)
    case array([JinjaValue])
    /// A repeated key keeps its first position and its last value.
    case object([Entry])
}

extension JinjaValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
    package init(arrayLiteral elements: JinjaValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JinjaValue)...) {
        self = .object(elements.map { Entry(key: $0.0, value: $0.1) })
    }
    package init(nilLiteral: ()) { self = .none }
}
