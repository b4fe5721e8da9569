package import MenoTokenizers

/// What is preferred: a completion to another one of the same prompt, or one that is judged by itself.
package struct Preference: Sendable, Hashable {
    /// Tokens of the prompt, which all sequences begin with; what follows is the completion.
    package var promptLength: Int
    /// The rejected sequence, prompt included, where ``Example/ids`` is the chosen one; `nil` where a completion is judged
    /// by itself.
    package var rejected: [TokenID]?
    /// Of a completion that is judged by itself, whether it is a good one.
    package var isDesirable: Bool
    /// What the reference model gives the completions, where that has been computed.
    package var reference: ReferenceScores?

    package init(
        promptLength: Int, rejected: [TokenID]? = nil, isDesirable: Bool = true, reference: ReferenceScores? = nil
    ) {
        self.promptLength = promptLength
        self.rejected = rejected
        self.isDesirable = isDesirable
        self.reference = reference
    }
}

/// Σ log p of the tokens of an example's completions, by the reference model, in nats.
package struct ReferenceScores: Sendable, Hashable, Codable {
    /// Of ``Example/ids``.
    package var chosen: Double
    /// Of ``Preference/rejected``.
    package var rejected: Double?

    package init(chosen: Double, rejected: Double? = nil) {
        self.chosen = chosen
        self.rejected = rejected
    }
}
