/// The metadata of a GGUF file, with accessors that throw descriptive errors.
///
/// Each accessor `x(_:)` throws when the key is absent or has another type; `x(_:default:)` returns the default where
/// the key is absent, and still throws where it has another type.
package struct GGUFMetadata: Sendable {
    /// Every key, in the file's order.
    package let keys: [String]
    private let values: [String: GGUFValue]
    private let path: String

    init(keys: [String], values: [String: GGUFValue], path: String) {
        self.keys = keys
        self.values = values
        self.path = path
    }

    /// Metadata to be written.
    /// - Parameter path: the path of the future file, for errors.
    package init(_ pairs: [(key: String, value: GGUFValue)], path: String) {
        self.init(
            keys: pairs.map(\.key), values: Dictionary(pairs.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
            path: path)
    }

    /// A copy without some keys.
    func without(_ isLeftOut: (String) -> Bool) -> GGUFMetadata {
        GGUFMetadata(keys: keys.filter { !isLeftOut($0) }, values: values.filter { !isLeftOut($0.key) }, path: path)
    }

    /// The value of a key, or `nil`.
    package subscript(key: String) -> GGUFValue? { values[key] }

    package func contains(_ key: String) -> Bool { values[key] != nil }

    package func string(_ key: String) throws -> String {
        guard case .string(let value) = try required(key, "a string") else { throw mismatch(key, "a string") }
        return value
    }

    /// Any of the integer types, when the value fits `Int`.
    package func int(_ key: String) throws -> Int {
        guard let value = try required(key, "an integer").integer else { throw mismatch(key, "an integer") }
        return value
    }

    /// A floating-point number or an integer.
    package func double(_ key: String) throws -> Double {
        guard let value = try required(key, "a number").number else { throw mismatch(key, "a number") }
        return value
    }

    package func bool(_ key: String) throws -> Bool {
        guard case .bool(let value) = try required(key, "a boolean") else { throw mismatch(key, "a boolean") }
        return value
    }

    package func strings(_ key: String) throws -> [String] {
        try array(key, "an array of strings") { $0 == .string }.strings()
    }

    /// An array of floating-point numbers or integers.
    package func floats(_ key: String) throws -> [Float] {
        let array = try array(key, "an array of numbers") { $0.hasFixedSize && $0 != .bool }
        if array.elementType == .float32 {  // The scores of a vocabulary: hundreds of thousands.
            return try array.decode { reader, place in
                Float(bitPattern: try reader.integer(place()))
            }
        }
        return try array.values().map { value in
            guard let number = value.number else { throw mismatch(key, "an array of numbers") }
            return Float(number)
        }
    }

    /// An array of integers of any type.
    package func ints(_ key: String) throws -> [Int] {
        let array = try array(key, "an array of integers") {
            $0.hasFixedSize && ![.bool, .float32, .float64].contains($0)
        }
        if array.elementType == .int32 {  // The token types of a vocabulary.
            return try array.decode { reader, place in Int(try reader.integer(place()) as Int32) }
        }
        return try array.values().map { value in
            guard let integer = value.integer else { throw mismatch(key, "an array of integers below 2^63") }
            return integer
        }
    }

    package func string(_ key: String, default value: String?) throws -> String? {
        contains(key) ? try string(key) : value
    }

    package func int(_ key: String, default value: Int?) throws -> Int? { contains(key) ? try int(key) : value }

    package func double(_ key: String, default value: Double?) throws -> Double? {
        contains(key) ? try double(key) : value
    }

    package func bool(_ key: String, default value: Bool?) throws -> Bool? { contains(key) ? try bool(key) : value }

    package func strings(_ key: String, default value: [String]?) throws -> [String]? {
        contains(key) ? try strings(key) : value
    }

    package func floats(_ key: String, default value: [Float]?) throws -> [Float]? {
        contains(key) ? try floats(key) : value
    }

    package func ints(_ key: String, default value: [Int]?) throws -> [Int]? { contains(key) ? try ints(key) : value }

    private func array(
        _ key: String, _ expected: String, _ accepts: (GGUFValueType) -> Bool
    ) throws -> GGUFArray {
        guard case .array(let array) = try required(key, expected), accepts(array.elementType) else {
            throw mismatch(key, expected)
        }
        return array
    }

    private func required(_ key: String, _ expected: String) throws -> GGUFValue {
        if let value = values[key] { return value }
        throw FormatError(.malformed, at: path, "has no metadata '\(key)' (expected \(expected)).")
    }

    private func mismatch(_ key: String, _ expected: String) -> FormatError {
        let found = values[key]?.typeDescription ?? "nothing"
        return FormatError(.malformed, at: path, "metadata '\(key)' is \(found); expected \(expected).")
    }
}
