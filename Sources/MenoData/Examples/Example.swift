public import MenoTokenizers

/// A record as a model is trained on it.
public struct Example: Sendable, Hashable {
    /// The label of a token that carries no loss.
    public static let ignoredLabel: TokenID = -100

    /// `[length]`, BOS first where the model has one.
    public var ids: [TokenID]
    /// `[length]`: the token itself, or ``ignoredLabel``. The label of a token is predicted at the one before it.
    public var labels: [TokenID]
    /// `[length]`: whether the assistant writes the token.
    public var isCompletion: [Bool]
    /// Where the record stands in its file.
    public var place: String
    public var source: String?
    /// What a preference says of it; `nil` where it is learnt for itself.
    package var preference: Preference?

    public init(ids: [TokenID], labels: [TokenID], isCompletion: [Bool], place: String, source: String? = nil) {
        precondition(ids.count == labels.count && ids.count == isCompletion.count)
        self.ids = ids
        self.labels = labels
        self.isCompletion = isCompletion
        self.place = place
        self.source = source
    }

    /// Labels that are predicted: all that count, but for the first token's.
    public var labelCount: Int { labels.dropFirst().count { $0 != Self.ignoredLabel } }

    /// Tokens of all of its sequences.
    package var tokenCount: Int { ids.count + (preference?.rejected?.count ?? 0) }

    /// Tokens of the longest of its sequences.
    package var longestSequence: Int { max(ids.count, preference?.rejected?.count ?? 0) }
}
