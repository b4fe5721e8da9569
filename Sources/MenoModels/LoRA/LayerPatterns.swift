/// Values for the layers that regular expressions match, as in PEFT's `rank_pattern` and `alpha_pattern`. If several match a
/// layer, the first in alphabetical order applies, since `adapter_config.json` does not preserve any other order.
public struct LayerPatterns<Value: Sendable & Hashable>: Sendable, Hashable, CustomStringConvertible {
    /// Patterns and their values, in alphabetical order of the patterns.
    public var entries: [(pattern: String, value: Value)] {
        zip(patterns, values).map { ($0, $1) }
    }
    /// The patterns as a YAML mapping.
    public var description: String { "{" + entries.map { "\($0): \($1)" }.joined(separator: ", ") + "}" }
    private var patterns: [String]
    private var values: [Value]

    /// - Parameter entries: regular expressions for the ends of layers' names, with the value of the layers that match.
    public init(_ entries: [(pattern: String, value: Value)] = []) {
        let entries = entries.sorted { $0.pattern < $1.pattern }
        patterns = entries.map(\.pattern)
        values = entries.map(\.value)
    }

    var dictionary: [String: Value] { Dictionary(zip(patterns, values), uniquingKeysWith: { first, _ in first }) }

    /// The value of the first pattern that matches a layer's full name, or its end after a dot.
    func value(of layer: String) throws -> Value? {
        try entries.first { try Self.matches($0.pattern, layer) }?.value
    }

    /// The patterns that match none of these layers.
    func unmatched(among layers: [String]) throws -> [String] {
        try patterns.filter { pattern in try !layers.contains { try Self.matches(pattern, $0) } }
    }

    private static func matches(_ pattern: String, _ layer: String) throws -> Bool {
        do {
            return try layer.wholeMatch(of: Regex("(.*\\.)?(\(pattern))")) != nil
        } catch {
            throw ModelError(.mismatch, "the pattern \"\(pattern)\" is not a regular expression (\(error)).")
        }
    }
}
