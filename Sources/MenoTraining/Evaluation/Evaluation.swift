internal import Foundation

/// What predicting the labels of some examples cost.
public struct Evaluation: Sendable, Hashable {
    /// One example's part.
    public struct Row: Sendable, Hashable {
        /// Labels predicted.
        public var tokens = 0
        /// Σ of their negative log-likelihoods, in nats.
        public var negativeLogLikelihood = 0.0
        /// Those that the model ranks first.
        public var correct = 0
        /// The same over what the assistant writes.
        public var completionTokens = 0
        /// Σ of their negative log-likelihoods, in nats.
        public var completionNegativeLogLikelihood = 0.0

        package init() {}
    }

    /// In the order of the examples.
    public var rows: [Row]
    /// How long it took, in seconds.
    public var seconds: Double

    package init(rows: [Row], seconds: Double) {
        self.rows = rows
        self.seconds = seconds
    }

    /// Labels predicted in all.
    public var tokens: Int { rows.reduce(0) { $0 + $1.tokens } }

    /// Σ negative log-likelihood / Σ labels over all examples, in nats. It depends neither on how the examples were
    /// grouped nor on padding. Lower is better.
    public var loss: Double { ratio(rows.reduce(0) { $0 + $1.negativeLogLikelihood }, tokens) }

    /// exp(``loss``). Lower is better.
    public var perplexity: Double { exp(loss) }

    /// The share of labels that the model ranks first. Higher is better.
    public var tokenAccuracy: Double { ratio(Double(rows.reduce(0) { $0 + $1.correct }), tokens) }

    /// The loss over what the assistant writes; `nil` where no token is known to be the assistant's.
    public var completionLoss: Double? {
        let tokens = rows.reduce(0) { $0 + $1.completionTokens }
        return tokens > 0 ? ratio(rows.reduce(0) { $0 + $1.completionNegativeLogLikelihood }, tokens) : nil
    }

    private func ratio(_ sum: Double, _ count: Int) -> Double { count > 0 ? sum / Double(count) : .nan }
}
