package import MenoTokenizers

/// A record as a model is trained on it.
package struct Example: Sendable, Hashable {
    /// The label of a token that carries no loss.
    package static let ignoredLabel: TokenID = -100

    /// `[length]`, BOS first where the model has one.
    package var ids: [TokenID]
    /// `[length]`: the token itself, or ``ignoredLabel``. The label of a token is predicted at the one before it.
    package var labels: [TokenID]
    /// `[length]`: whether the assistant writes the token.
    package var isCompletion: [Bool]
    /// Where the record stands in its file.
    package var place: String
    package var source: String?

    package init(ids: [TokenID], labels: [TokenID], isCompletion: [Bool], place: String, source: String? = nil) {
        precondition(ids.count == labels.count && ids.count == isCompletion.count)
        self.ids = ids
        self.labels = labels
        self.isCompletion = isCompletion
        self.place = place
        self.source = source
    }

    /// Labels that are predicted: all that count, but for the first token's.
    package var labelCount: Int { labels.dropFirst().count { $0 != Self.ignoredLabel } }
}
