/// Which tokens carry loss.
public enum LossTarget: String, Sendable, Hashable, CaseIterable {
    /// Every token but the first.
    case all
    /// What the assistant writes, with the token that ends its turn.
    case completions
    /// Only the last answer of a dialogue.
    case lastCompletion = "last_completion"
}

/// How many examples count as one in a step.
public enum Packing: String, Sendable, Hashable, CaseIterable {
    /// Each counts for itself.
    case none
    /// As many as fit together, by best-fit decreasing. They stay sequences of their own.
    case bestFit = "best_fit"
}

/// What becomes of an example that is too long.
public enum LengthPolicy: String, Sendable, Hashable, CaseIterable {
    /// It is cut at its end.
    case truncate
    /// It is left out.
    case skip
    /// It is cut at its end, and left out where nothing of an answer would be left.
    case skipWithoutAnswer = "skip_without_answer"
}
