/// What is wrong with an export: where, what was expected, and what to do.
package struct ExportError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Something is at the place of the result already.
        case exists
        /// The format cannot hold the model or the adapter, or its options contradict each other.
        case unsupported
        /// What was written does not do what the trained model does.
        case differs
        /// The operating system refused a write.
        case cannotWrite
    }

    package var code: Code
    package var path: String?
    package var message: String
    package var advice: String?

    package init(_ code: Code, path: String? = nil, _ message: String, advice: String? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.advice = advice
    }

    package var description: String {
        [path.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}
