/// What is wrong with training data.
public struct DataError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound
        /// The file as a whole cannot be read as records.
        case malformed
        /// Records are unfit, and the configuration says to stop at such.
        case invalidRecords
        /// No record is left to train on or to evaluate.
        case empty
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
