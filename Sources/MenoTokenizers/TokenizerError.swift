/// What is wrong with a tokenizer's file, or with what it was asked to do.
public struct TokenizerError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// There is no such file, or it cannot be read.
        case notFound
        /// The file contradicts itself or its format.
        case malformed
        /// A kind of tokenizer that Meno does not compute (named, with what is supported).
        case unsupported
        /// A chat template does not take a conversation.
        case refused
    }

    public var code: Code
    /// The file, when the error concerns one.
    public var path: String?
    public var message: String
    /// What the user can do, when there is something.
    public var advice: String?

    public init(_ code: Code, path: String?, _ message: String, advice: String? = nil) {
        self.code = code
        self.path = path
        self.message = message
        self.advice = advice
    }

    public var description: String {
        [path.map { "\($0): \(message)" } ?? message, advice].compactMap { $0 }.joined(separator: " ")
    }
}
