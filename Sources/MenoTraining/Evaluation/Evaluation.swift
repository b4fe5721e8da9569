internal import Foundation
package import MenoMetrics

/// Losses of a model on a set of examples.
public struct Evaluation: Sendable, Hashable {
    /// The results for one example.
    public struct Row: Sendable, Hashable {
        /// The number of predicted labels.
        public var tokens = 0
        /// The sum of their negative log-likelihoods, in nats.
        public var negativeLogLikelihood = 0.0
        /// The number of labels that the model ranks first.
        public var correct = 0
        /// The number of predicted labels in the assistant's turns.
        public var completionTokens = 0
        /// The sum of their negative log-likelihoods, in nats.
        public var completionNegativeLogLikelihood = 0.0
        /// What a preference objective computes its loss from.
        package var preference: PreferenceRow?

        package init() {}

        /// Adds what was computed of the same example in another pass.
        mutating func add(_ other: Row) {
            tokens += other.tokens
            negativeLogLikelihood += other.negativeLogLikelihood
            correct += other.correct
            completionTokens += other.completionTokens
            completionNegativeLogLikelihood += other.completionNegativeLogLikelihood
            preference = preference?.adding(other.preference) ?? other.preference
        }
    }

    /// What an objective computes from all rows together.
    package struct Summary: Sendable, Hashable {
        package var loss: Double
        package var metrics: ObjectiveMetrics
    }

    /// In the order of the examples.
    public var rows: [Row]
    /// The duration in seconds.
    public var seconds: Double
    /// The objective's loss and other metrics; `nil` if the loss is that of the labels.
    package var summary: Summary?

    package init(rows: [Row], seconds: Double) {
        self.rows = rows
        self.seconds = seconds
    }

    /// The total number of predicted labels.
    public var tokens: Int { rows.reduce(0) { $0 + $1.tokens } }

    /// The mean negative log-likelihood per label over all examples, in nats. It does not depend on how examples are
    /// batched or padded. For objectives with a different loss, that loss. Lower is better.
    public var loss: Double { summary?.loss ?? labelLoss }

    private var labelLoss: Double { ratio(rows.reduce(0) { $0 + $1.negativeLogLikelihood }, tokens) }

    /// exp(``loss``). Lower is better.
    public var perplexity: Double { exp(loss) }

    /// The share of labels that the model ranks first. Higher is better.
    public var tokenAccuracy: Double { ratio(Double(rows.reduce(0) { $0 + $1.correct }), tokens) }

    /// The loss over the assistant's turns; `nil` if no token is known to be the assistant's.
    public var completionLoss: Double? {
        let tokens = rows.reduce(0) { $0 + $1.completionTokens }
        return tokens > 0 ? ratio(rows.reduce(0) { $0 + $1.completionNegativeLogLikelihood }, tokens) : nil
    }

    private func ratio(_ sum: Double, _ count: Int) -> Double { count > 0 ? sum / Double(count) : .nan }
}
