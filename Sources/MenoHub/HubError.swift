public import MenoErrors

/// What is wrong with a repository of the Hugging Face Hub, its cache, or the way to them. Its place is the repository, the file,
/// the server or the variable.
public typealias HubError = CodedError<HubErrorCode>

/// What a ``HubError`` is about.
public enum HubErrorCode: String, ErrorCode {
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

    /// What a program makes of the error.
    public var kind: ErrorKind {
        switch self {
        case .notFound, .forbidden, .offline: .notFound
        case .unsupported, .badSetting: .badInput
        case .network, .rateLimited, .damaged, .noSpace, .inputOutput: .failed
        }
    }
}
