internal import Foundation

/// A model's `config.json`, read key by key with errors that name the key.
struct ConfigurationJSON {
    let path: String
    private let object: [String: Any]

    init(contentsOf url: URL) throws {
        path = url.path
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw ModelError(
                .notFound, at: url.path, "cannot be read (\(error.localizedDescription)).",
                advice: "A Hugging Face model folder holds config.json, *.safetensors and tokenizer.json.")
        }
        let parsed: Any
        do {
            parsed = try JSONSerialization.jsonObject(with: data)
        } catch {
            throw ModelError(.malformed, at: url.path, "is not JSON (\(error.localizedDescription)).")
        }
        guard let object = parsed as? [String: Any] else {
            throw ModelError(.malformed, at: url.path, "does not contain a JSON object at the top level.")
        }
        self.object = object
    }

    init(_ object: [String: Any], path: String) {
        self.object = object
        self.path = path
    }

    var keys: [String] { object.keys.sorted() }

    /// Whether a key is missing; one with the value null is not.
    func isAbsent(_ key: String) -> Bool { object[key] == nil }

    func has(_ key: String) -> Bool { object[key].map { !($0 is NSNull) } ?? false }

    func string(_ key: String) throws -> String? { try typed(key, "a string") { $0 as? String } }
    func bool(_ key: String) throws -> Bool? { try typed(key, "true or false") { $0 as? Bool } }
    func int(_ key: String) throws -> Int? { try typed(key, "a whole number", Self.int) }
    func double(_ key: String) throws -> Double? {
        try typed(key, "a number") { value in
            (value as? NSNumber).flatMap { $0.doubleValue.isFinite ? $0.doubleValue : nil }
        }
    }
    func doubles(_ key: String) throws -> [Double]? {
        try typed(key, "a list of numbers") { value in
            let values = (value as? [Any])?.map { ($0 as? NSNumber)?.doubleValue ?? .nan }
            return values.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
        }
    }
    func strings(_ key: String) throws -> [String]? { try typed(key, "a list of strings") { $0 as? [String] } }
    /// A list of whole numbers, or a single one as a list.
    func ints(_ key: String) throws -> [Int]? {
        try typed(key, "a list of whole numbers") { value in
            let values = (value as? [Any] ?? [value]).map(Self.int)
            return values.contains(nil) ? nil : values.compactMap { $0 }
        }
    }
    func section(_ key: String) throws -> ConfigurationJSON? {
        try typed(key, "an object") { ($0 as? [String: Any]).map { ConfigurationJSON($0, path: path) } }
    }

    /// A copy in which the values of another object take precedence.
    func updated(with other: ConfigurationJSON) -> ConfigurationJSON {
        ConfigurationJSON(object.merging(other.object) { $1 }, path: path)
    }

    /// Whether a key has a value that is neither empty nor false.
    func isSet(_ key: String) -> Bool {
        guard has(key), let value = object[key] else { return false }
        if let values = value as? [Any] { return !values.isEmpty }
        if let values = value as? [String: Any] { return !values.isEmpty }
        return (value as? Bool) != false
    }

    /// Throws if a key is true: such models are not supported.
    func refuse(_ key: String) throws {
        if try bool(key) ?? false {
            throw ModelError(.unsupported, at: path, "\"\(key)\": true is not supported.")
        }
    }

    func required<Value>(_ key: String, _ read: (String) throws -> Value?) throws -> Value {
        guard let value = try read(key) else { throw ModelError(.malformed, at: path, "has no key \"\(key)\".") }
        return value
    }

    private static func int(_ value: Any) -> Int? {
        guard let number = value as? NSNumber, number.doubleValue == number.doubleValue.rounded(),
            Swift.abs(number.doubleValue) < 1e15
        else { return nil }
        return number.intValue
    }

    private func typed<Value>(_ key: String, _ expected: String, _ convert: (Any) -> Value?) throws -> Value? {
        guard has(key), let value = object[key] else { return nil }
        guard let converted = convert(value) else {
            throw ModelError(.malformed, at: path, "\"\(key)\" is \(value); expected \(expected).")
        }
        return converted
    }
}
