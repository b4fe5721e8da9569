/// What one optimizer step measured. A quantity that was not measured is absent, never invented.
public struct StepMetrics: Sendable, Hashable, Codable {
    /// Optimizer steps done, this one included: 1 after the first.
    public var step: Int
    /// Passes over the training data, with the part of the present one: 1.5 in the middle of the second.
    public var epoch: Double
    /// Mean negative log-likelihood of the step's labelled tokens, in nats.
    public var loss: Double
    /// L2 norm of all gradients, before clipping.
    public var gradientNorm: Double
    /// The rate that this step was made with.
    public var learningRate: Double
    /// Tokens of the step's examples, without padding.
    public var tokens: Int
    /// Tokens among them that carried loss.
    public var labels: Int
    /// Wall-clock time of the step.
    public var seconds: Double

    package init(
        step: Int, epoch: Double, loss: Double, gradientNorm: Double, learningRate: Double, tokens: Int, labels: Int,
        seconds: Double
    ) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.gradientNorm = gradientNorm
        self.learningRate = learningRate
        self.tokens = tokens
        self.labels = labels
        self.seconds = seconds
    }

    /// Tokens trained a second; 0 where the time is not known.
    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}
