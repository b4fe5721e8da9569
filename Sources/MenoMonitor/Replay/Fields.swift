/// The members of a JSON object, asked for by kind.
struct Fields {
    private let members: [String: JSONValue]
    private let place: String?
    private let bytes: [UInt8]

    /// - Parameter place: of the object inside the file; `nil` where it is the whole file.
    init(_ value: JSONValue, place: String?, bytes: [UInt8]) throws {
        guard case .object(let members) = value.content else {
            throw MonitorError(
                .malformed, place: "\(place ?? "the file"), \(JSONReader.place(of: value.offset, in: bytes))",
                "expected an object, found \(value.kind).")
        }
        self.members = members
        self.place = place
        self.bytes = bytes
    }

    /// `nil` where the key is absent or null. NaN and infinities may also be written as text.
    func number(_ key: String) throws -> Double? {
        guard let value = member(key) else { return nil }
        switch value.content {
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
        guard case .string(let text) = value.content else { throw wrong(key, value, "text") }
        return text
    }

    func list(_ key: String) throws -> [JSONValue]? {
        guard let value = member(key) else { return nil }
        guard case .array(let elements) = value.content else { throw wrong(key, value, "a list") }
        return elements
    }

    private func member(_ key: String) -> JSONValue? {
        guard let value = members[key] else { return nil }
        if case .null = value.content { return nil }
        return value
    }

    private func wrong(_ key: String, _ value: JSONValue, _ expected: String) -> MonitorError {
        let path = place.map { "\($0).\(key)" } ?? key
        return MonitorError(
            .malformed, place: "\(path), \(JSONReader.place(of: value.offset, in: bytes))",
            "expected \(expected), found \(value.kind).")
    }
}
