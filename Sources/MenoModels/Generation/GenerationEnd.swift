/// Why a generation ended.
public enum GenerationEnd: String, Sendable {
    /// A stop token came.
    case stopToken
    /// The most tokens allowed were generated.
    case length
    /// The caller asked for no more.
    case cancelled
}
