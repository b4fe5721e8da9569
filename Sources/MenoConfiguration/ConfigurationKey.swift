internal import Yams

/// A key of `RUN.yaml`: its meaning, and how its value is stored in a ``RunConfiguration``.
package struct ConfigurationKey: Sendable {
    /// `training.learning_rate`; top-level keys have no dot.
    package let path: String
    package let meaning: String
    /// The allowed values, completing "expected …".
    package let expected: String
    package let example: String
    package let caveat: String?

    /// Returns `false` if the value is not an allowed one.
    let read: @Sendable (Node, inout RunConfiguration) -> Bool
    let write: @Sendable (RunConfiguration) -> String

    init<Value>(
        _ path: String, _ field: any WritableKeyPath<RunConfiguration, Value> & Sendable, _ kind: ValueKind<Value>,
        _ meaning: String, example: String, caveat: String? = nil
    ) {
        self.path = path
        self.meaning = meaning
        self.example = example
        self.caveat = caveat
        expected = kind.expected
        read = { node, configuration in
            guard let value = kind.read(node) else { return false }
            configuration[keyPath: field] = value
            return true
        }
        write = { kind.write($0[keyPath: field]) }
    }

    /// The default value.
    package var defaultValue: String { write(.notebook) }

    /// `training`, or `monitor.probes`; `nil` for a top-level key.
    var section: String? { path.lastIndex(of: ".").map { String(path[..<$0]) } }
    var name: String { String(path.split(separator: ".").last ?? "") }
}
