/// What is wrong with a model: where, what was expected, and what to do.
public struct ModelError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// No model at this path.
        case notFound
        /// The files contradict each other or the architecture: a tensor missing or of the wrong shape, an
        /// impossible configuration.
        case malformed
        /// An architecture or a variant that Meno does not compute (named, with what is supported).
        case unsupported
        /// An adapter or a prompt that does not fit the model.
        case mismatch
    }

    public var code: Code
    /// The file or folder, when the error concerns one.
    public var path: String?
    public var message: String
    /// What the user can do, when there is something.
    public var advice: String?

    public init(_ code: Code, path: String? = nil, _ message: String, advice: String? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.advice = advice
    }

    public var description: String {
        [path.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}
