internal import Foundation

/// The results of an evaluation, from streaming sums over all labelled tokens of all samples.
public struct EvaluationMetrics: Sendable, Hashable, Codable {
    /// The number of completed optimizer steps.
    public var step: Int
    /// The number of completed epochs, with the fraction of the current one.
    public var epoch: Double
    /// Σ negative log-likelihood / Σ labelled tokens, in nats; for other objectives, the objective's loss. Lower is better.
    public var loss: Double
    /// Share of labelled tokens that the model ranks first, 0…1. Higher is better.
    public var tokenAccuracy: Double
    /// The loss over only the assistant's tokens, in nats; `nil` if the data does not mark them.
    public var completionLoss: Double?
    /// Labelled tokens.
    public var tokens: Int
    /// Examples evaluated.
    public var samples: Int
    /// Duration in seconds.
    public var seconds: Double
    /// The objective's metrics in addition to its loss; `nil` if it has none.
    public var objective: ObjectiveMetrics?

    package init(
        step: Int, epoch: Double, loss: Double, tokenAccuracy: Double, completionLoss: Double?, tokens: Int,
        samples: Int, seconds: Double, objective: ObjectiveMetrics? = nil
    ) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.tokenAccuracy = tokenAccuracy
        self.completionLoss = completionLoss
        self.tokens = tokens
        self.samples = samples
        self.seconds = seconds
        self.objective = objective
    }

    /// exp(``loss``). Lower is better.
    public var perplexity: Double { exp(loss) }
    /// exp(``completionLoss``). Lower is better.
    public var completionPerplexity: Double? { completionLoss.map { exp($0) } }
}
