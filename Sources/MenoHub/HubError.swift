/// What is wrong with a repository of the Hugging Face Hub, its cache, or the way to them.
package struct HubError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
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

    package var code: Code
    /// The repository, the file or the setting that the error is about.
    package var place: String
    package var message: String
    /// What the user can do, when there is something.
    package var advice: String?

    package init(_ code: Code, _ place: String, _ message: String, advice: String? = nil) {
        self.code = code
        self.place = place
        self.message = message
        self.advice = advice
    }

    package var description: String {
        ["\(place): \(message)", advice].compactMap { $0 }.joined(separator: " ")
    }
}
