public import MenoErrors

/// A problem with a repository of the Hugging Face Hub, with the cache, or with the network. The error's place is the
/// repository, file, server or environment variable.
public typealias HubError = CodedError<HubErrorCode>

/// The cause of a ``HubError``.
public enum HubErrorCode: String, ErrorCode {
    /// The repository, revision or file does not exist.
    case notFound
    /// The repository exists, but this user has no access to it.
    case forbidden
    /// Downloads are disabled, and the cache does not have everything that is needed.
    case offline
    /// The server cannot be reached, or the connection was interrupted.
    case network
    /// The server asked for fewer requests.
    case rateLimited
    /// The downloaded data does not match the server's checksum or size.
    case damaged
    /// The disk is full.
    case noSpace
    /// The operating system refused a read or a write.
    case inputOutput
    /// The repository contains nothing that Meno can read.
    case unsupported
    /// An invalid address or setting.
    case badSetting

    /// The broad class of the error.
    public var kind: ErrorKind {
        switch self {
        case .notFound, .forbidden, .offline: .notFound
        case .unsupported, .badSetting: .badInput
        case .network, .rateLimited, .damaged, .noSpace, .inputOutput: .failed
        }
    }
}
