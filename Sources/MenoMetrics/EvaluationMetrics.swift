internal import Foundation

/// What an evaluation measured, by streaming sums over all labelled tokens of all samples.
public struct EvaluationMetrics: Sendable, Hashable, Codable {
    /// Optimizer steps done when it ran.
    public var step: Int
    /// Epochs done, with the part of the present one.
    public var epoch: Double
    /// Σ negative log-likelihood / Σ labelled tokens, in nats. Lower is better.
    public var loss: Double
    /// Share of labelled tokens that the model ranks first, 0…1. Higher is better.
    public var tokenAccuracy: Double
    /// The loss over the assistant's tokens alone, where the data tells them apart.
    public var completionLoss: Double?
    /// Labelled tokens.
    public var tokens: Int
    /// Examples evaluated.
    public var samples: Int
    /// How long it took, in seconds.
    public var seconds: Double

    package init(
        step: Int, epoch: Double, loss: Double, tokenAccuracy: Double, completionLoss: Double?, tokens: Int,
        samples: Int, seconds: Double
    ) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.tokenAccuracy = tokenAccuracy
        self.completionLoss = completionLoss
        self.tokens = tokens
        self.samples = samples
        self.seconds = seconds
    }

    /// exp(``loss``). Lower is better.
    public var perplexity: Double { exp(loss) }
    /// exp(``completionLoss``). Lower is better.
    public var completionPerplexity: Double? { completionLoss.map { exp($0) } }
}
