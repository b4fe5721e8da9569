/// Why a generation ended.
public enum GenerationEnd: String, Sendable {
    /// The model produced a stop token.
    case stopToken
    /// The maximum number of new tokens was reached.
    case length
    /// The caller stopped the generation.
    case cancelled
}
