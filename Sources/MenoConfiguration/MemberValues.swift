internal import MenoFormats
internal import Yams

extension ValueKind where Value == [JSONValue.Member] {
    /// A mapping of names to values of any kind; null stands for none.
    static var members: Self {
        Self(expected: "a mapping of names to values") { node in
            isNull(node) ? [] : JSONValue(node)?.object
        } write: {
            JSONValue.object($0).description
        }
    }
}

extension JSONValue {
    /// A value of YAML as JSON has it; `nil` where JSON has none.
    init?(_ node: Node) {
        switch node {
        case .mapping(let mapping):
            var members: [Member] = []
            for (key, value) in mapping {
                guard let key = key.scalar?.string, let value = JSONValue(value) else { return nil }
                members.append(Member(key, value))
            }
            self = .object(members)
        case .sequence(let sequence):
            let values = sequence.compactMap { JSONValue($0) }
            guard values.count == sequence.count else { return nil }
            self = .array(values)
        case .scalar(let scalar):
            let text = scalar.string
            if scalar.style == .doubleQuoted || scalar.style == .singleQuoted {
                self = .string(text)
            } else if MenoConfiguration.isNull(node) {
                self = .null
            } else if let value = Bool(text.lowercased()) {
                self = .boolean(value)
            } else if let value = Int(text) {
                self = .integer(value)
            } else if text.first.map({ $0.isNumber || "+-.".contains($0) }) ?? false, let value = Double(text) {
                self = .number(value)
            } else {
                self = .string(text)
            }
        case .alias: return nil
        }
    }
}
