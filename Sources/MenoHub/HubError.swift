/// What is wrong with a repository of the Hugging Face Hub, its cache, or the way to them.
public struct HubError: Error, Sendable, CustomStringConvertible {
    /// Kinds of failures.
    public enum Code: String, Sendable {
        /// There is no such repository, revision or file.
        case notFound
        /// The repository is there, and this user may not read it.
        case forbidden
        /// Nothing may be downloaded, and the cache does not hold what is needed.
        case offline
        /// The server cannot be reached, or breaks off.
        case network
        /// The server wants fewer requests.
        case rateLimited
        /// What arrived is not what the server announced.
        case damaged
        /// The disk has no room.
        case noSpace
        /// The operating system refused a read or a write.
        case inputOutput
        /// The repository holds nothing that Meno reads.
        case unsupported
        /// An address or a setting that cannot be.
        case badSetting
    }

    /// What kind of failure it is.
    public var code: Code
    /// The repository, the file or the setting that the error is about.
    public var place: String
    /// What is wrong there, and what was expected.
    public var message: String
    /// What the user can do, when there is something.
    public var advice: String?

    /// Describes a failure.
    public init(_ code: Code, _ place: String, _ message: String, advice: String? = nil) {
        self.code = code
        self.place = place
        self.message = message
        self.advice = advice
    }

    /// The error in a sentence or two.
    public var description: String {
        ["\(place): \(message)", advice].compactMap { $0 }.joined(separator: " ")
    }
}
