public import Foundation

/// What is wrong with a model file: where, what was expected, and what to do.
public struct FormatError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// The path does not exist or cannot be opened.
        case notFound
        /// The file contradicts its format: truncated, mutated, or not of this format at all.
        case malformed
        /// The file is sound, but holds what Meno does not read (named, with what is supported).
        case unsupported
        /// The operating system refused a read or a write.
        case inputOutput
    }

    public var code: Code
    /// The file, when the error concerns one.
    public var path: String?
    /// The place in the file (a key, a tensor, a byte offset) and what was expected there.
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

extension FormatError: LocalizedError {
    /// What is wrong, for a sentence that names the file already.
    public var errorDescription: String? { message.hasSuffix(".") ? String(message.dropLast()) : message }
}
