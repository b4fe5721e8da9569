/// What an evaluation knows of an example of preferences.
package struct PreferenceRow: Sendable, Hashable {
    /// The sides of a pair; of a completion that is judged by itself, only one of them.
    package var chosen: ScoredPair.Side?
    package var rejected: ScoredPair.Side?
    /// log p − log p of the reference, of another example's completion beside this one's prompt.
    package var mismatched: Double?

    func adding(_ other: PreferenceRow?) -> PreferenceRow {
        PreferenceRow(
            chosen: chosen ?? other?.chosen, rejected: rejected ?? other?.rejected,
            mismatched: mismatched ?? other?.mismatched)
    }
}
