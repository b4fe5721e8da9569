/// The metrics of one optimizer step. Quantities that were not measured are absent.
public struct StepMetrics: Sendable, Hashable, Codable {
    /// The number of completed optimizer steps including this one: 1 after the first.
    public var step: Int
    /// The number of passes over the training data, with the fraction of the current one: 1.5 in the middle of the second.
    public var epoch: Double
    /// Mean negative log-likelihood of the step's labelled tokens, in nats; for other objectives, the objective's loss.
    public var loss: Double
    /// L2 norm of all gradients, before clipping.
    public var gradientNorm: Double
    /// The learning rate of this step.
    public var learningRate: Double
    /// Tokens of the step's examples, without padding.
    public var tokens: Int
    /// The number of these tokens that carry loss.
    public var labels: Int
    /// Wall-clock time of the step in seconds.
    public var seconds: Double
    /// The objective's metrics in addition to its loss; `nil` if it has none.
    public var objective: ObjectiveMetrics?

    package init(
        step: Int, epoch: Double, loss: Double, gradientNorm: Double, learningRate: Double, tokens: Int, labels: Int,
        seconds: Double, objective: ObjectiveMetrics? = nil
    ) {
        self.step = step
        self.epoch = epoch
        self.loss = loss
        self.gradientNorm = gradientNorm
        self.learningRate = learningRate
        self.tokens = tokens
        self.labels = labels
        self.seconds = seconds
        self.objective = objective
    }

    /// Training tokens per second; 0 if the duration is unknown.
    public var tokensPerSecond: Double { seconds > 0 ? Double(tokens) / seconds : 0 }
}
