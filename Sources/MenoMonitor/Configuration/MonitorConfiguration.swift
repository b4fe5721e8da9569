/// What the monitor judges a run by. The defaults are those of the reference notebook, section 4.4.
public struct MonitorConfiguration: Sendable, Hashable, Codable {
    /// How many evaluations (and logged gradient norms) the stability of a run is judged over. No stable checkpoint is
    /// saved before there are so many evaluations.
    /// - Default: 5. Example: 3, for a run with few evaluations.
    /// - Note: Small windows take a lucky stretch for stability.
    public var windowSize = 5

    /// Optimizer steps that must lie between two stable checkpoints, and before the first.
    /// - Default: 100. Example: 20, for a run of 200 steps.
    /// - Note: A balanced state qualifies without waiting.
    public var minStepsBetweenCheckpoints = 100

    /// The mean perplexity over the window must be below this.
    /// - Default: 2.5. Example: 15, for free dialogue in Japanese with a small model.
    /// - Note: Perplexity depends on the tokenizer and the data; look at the first evaluations before choosing.
    public var perplexityThreshold = 2.5

    /// The evaluation loss over the window must not have a larger standard deviation than this, in nats.
    /// - Default: 0.1. Example: 0.02.
    /// - Note: The key is named after the variance, as in the original; what is compared is the standard deviation.
    public var evaluationLossDeviationThreshold = 0.1

    /// The mean gradient norm (before clipping) over the window must lie within these, both ends included; outside for
    /// long it raises an alert.
    /// - Default: [0.1, 2.0]. Example: [0.05, 10.0], for small models, whose gradients are larger.
    public var gradientNormBounds = 0.1...2.0

    /// Stable checkpoints kept at most; the one with the highest evaluation loss goes first.
    /// - Default: 5. Example: 2, where disk space is short.
    public var maxStableCheckpoints = 5

    /// After so many saves failed one after another, no more stable checkpoints are tried.
    /// - Default: 3. Example: 1.
    /// - Note: Training goes on, and the report says so.
    public var maxConsecutiveErrors = 3

    /// How many training losses and how many evaluation losses the balance is judged over.
    /// - Default: 10. Example: 5.
    /// - Note: Training losses are those of the log, one in `loggingSteps` steps.
    public var varianceBiasWindow = 10

    /// Balance: mean evaluation loss − mean training loss must lie within these, both ends included, in nats. Above
    /// them, with a rising evaluation loss, is over-fitting.
    /// - Default: [0.1, 0.3]. Example: [0.0, 0.5].
    public var optimalGapRange = 0.1...0.3

    /// Balance: the mean of the two losses' variances must be below this.
    /// - Default: 0.1. Example: 0.02.
    public var balancedTotalVariance = 0.1

    /// Balance: the smaller variance divided by the larger must be above this; two variances of zero count as 1.
    /// - Default: 0.7. Example: 0.5.
    public var balancedVarianceRatio = 0.7

    /// Optimizer steps that make one point of the series `train_loss`, `learning_rate` and `grad_norm`: the mean over
    /// them (of the learning rate: the last).
    /// - Default: 10, as `training.logging_steps`. Example: 1.
    /// - Note: A run that tells its interval when it starts is judged by that one. In a recorded run of Hugging Face each
    ///   logged entry is a step.
    public var loggingSteps = 10

    /// When something counts as trouble.
    public var alerts = AlertThresholds()
    /// When answers to probe questions count as trouble.
    public var probes = ProbeThresholds()

    /// The defaults: those of the reference notebook.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case windowSize = "window_size"
        case minStepsBetweenCheckpoints = "min_steps_between_checkpoints"
        case perplexityThreshold = "perplexity_threshold"
        case evaluationLossDeviationThreshold = "eval_loss_variance_threshold"
        case gradientNormBounds = "grad_norm_bounds"
        case maxStableCheckpoints = "max_stable_checkpoints"
        case maxConsecutiveErrors = "max_consecutive_errors"
        case varianceBiasWindow = "variance_bias_window"
        case optimalGapRange = "optimal_gap_range"
        case balancedTotalVariance = "balanced_total_variance"
        case balancedVarianceRatio = "balanced_variance_ratio"
        case loggingSteps = "logging_steps"
        case alerts, probes
    }

    /// Checks that a run can be judged by these values.
    /// - Throws: ``MonitorError`` that names the key.
    public func validate() throws(MonitorError) {
        try Check.require("window_size", windowSize, in: 1...100_000)
        try Check.require("min_steps_between_checkpoints", minStepsBetweenCheckpoints, in: 0...Int.max)
        try Check.require("max_stable_checkpoints", maxStableCheckpoints, in: 0...100_000)
        try Check.require("max_consecutive_errors", maxConsecutiveErrors, in: 1...Int.max)
        try Check.require("variance_bias_window", varianceBiasWindow, in: 1...100_000)
        try Check.require("logging_steps", loggingSteps, in: 1...Int.max)
        try Check.require("perplexity_threshold", perplexityThreshold, above: 0)
        try Check.require("eval_loss_variance_threshold", evaluationLossDeviationThreshold, from: 0)
        try Check.require("balanced_total_variance", balancedTotalVariance, from: 0)
        try Check.require("balanced_variance_ratio", balancedVarianceRatio, from: 0)
        try Check.require("grad_norm_bounds", gradientNormBounds)
        try Check.require("optimal_gap_range", optimalGapRange)
        try alerts.validate()
        try probes.validate()
    }
}
