internal import MenoFormats

/// The members of a JSON object, asked for by kind.
struct Fields {
    private let object: JSONValue
    private let path: [JSONReader.PathStep]
    private let file: RecordedJSON

    /// - Parameter path: of the object inside the file.
    init(_ file: RecordedJSON, _ object: JSONValue? = nil, at path: [JSONReader.PathStep] = []) throws {
        self.object = object ?? file.value
        self.path = path
        self.file = file
        guard self.object.object != nil else {
            let name = path.isEmpty ? "the file" : Self.name(of: path)
            throw MonitorError(
                .malformed, at: "\(name), \(file.place(of: path))",
                "expected an object, found \(self.object.kindName).")
        }
    }

    /// `nil` where the key is absent or null. NaN and infinities may also be written as text.
    func number(_ key: String) throws -> Double? {
        guard let value = member(key) else { return nil }
        switch value {
        case .integer(let number): return Double(number)
        case .number(let number): return number
        case .string("NaN"): return .nan
        case .string("Infinity"): return .infinity
        case .string("-Infinity"): return -.infinity
        default: throw wrong(key, value, "a number")
        }
    }

    /// A whole number of 0 or more; `nil` where the key is absent or null, or the number negative (as in -1: not set).
    func count(_ key: String) throws -> Int? {
        guard let number = try number(key), let value = member(key), !(number < 0) else { return nil }
        guard number <= 4_503_599_627_370_496, number == number.rounded() else {
            throw wrong(key, value, "a whole number")
        }
        return Int(number)
    }

    func text(_ key: String) throws -> String? {
        guard let value = member(key) else { return nil }
        guard let text = value.string else { throw wrong(key, value, "text") }
        return text
    }

    func list(_ key: String) throws -> [JSONValue]? {
        guard let value = member(key) else { return nil }
        guard let elements = value.array else { throw wrong(key, value, "a list") }
        return elements
    }

    private func member(_ key: String) -> JSONValue? { object[key].flatMap { $0.isNull ? nil : $0 } }

    private func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> MonitorError {
        let path = path + [.member(key)]
        return MonitorError(
            .malformed, at: "\(Self.name(of: path)), \(file.place(of: path))",
            "expected \(expected), found \(value.kindName).")
    }

    /// `log_history[4].loss`
    private static func name(of path: [JSONReader.PathStep]) -> String {
        path.reduce("") { name, step in
            switch step {
            case .member(let key): name.isEmpty ? key : "\(name).\(key)"
            case .element(let index): "\(name)[\(index)]"
            }
        }
    }
}
