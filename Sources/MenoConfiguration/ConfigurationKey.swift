internal import Yams

/// A key of `RUN.yaml`: what it means, and how its value reaches a ``RunConfiguration``.
package struct ConfigurationKey: Sendable {
    /// `training.learning_rate`; keys of the top level have no dot.
    package let path: String
    package let meaning: String
    /// What the value may be, completing "expected …".
    package let expected: String
    package let example: String
    package let caveat: String?

    /// `false` where the value is not of the kind.
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

    /// The value where nothing is said.
    package var defaultValue: String { write(.notebook) }

    /// `training`, or `monitor.probes`; `nil` of a key of the top level.
    var section: String? { path.lastIndex(of: ".").map { String(path[..<$0]) } }
    var name: String { String(path.split(separator: ".").last ?? "") }
}
