internal import Foundation

extension JSONValue {
    /// Converts a value from `JSONSerialization`. That would write 7.0 as 7, which transformers does not accept as a
    /// floating-point number; here, numbers keep their kind.
    package init(foundation value: Any) {
        switch value {
        case is NSNull: self = .null
        case let text as String: self = .string(text)
        case let values as [Any]: self = .array(values.map(JSONValue.init(foundation:)))
        case let members as [String: Any]:
            self = .object(members.sorted { $0.key < $1.key }.map { Member($0.key, JSONValue(foundation: $0.value)) })
        case let number as NSNumber:
            self =
                switch String(cString: number.objCType) {
                case "c", "B": .boolean(number.boolValue)
                case "d", "f": .number(number.doubleValue)
                default: .integer(number.intValue)
                }
        default: preconditionFailure("\(type(of: value)) is not a JSON value")
        }
    }

    /// The JSON text on many lines, with two spaces for each level.
    package var indented: String { indented(at: 0) }

    private func indented(at level: Int) -> String {
        let (inner, outer) = (String(repeating: "  ", count: level + 1), String(repeating: "  ", count: level))
        switch self {
        case .array(let values) where !values.isEmpty:
            return "[\n" + values.map { inner + $0.indented(at: level + 1) }.joined(separator: ",\n") + "\n\(outer)]"
        case .object(let members) where !members.isEmpty:
            let lines = members.map { "\(inner)\(JSONValue.string($0.key)): \($0.value.indented(at: level + 1))" }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        default: return description
        }
    }
}
