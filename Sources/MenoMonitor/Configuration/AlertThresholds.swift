/// When something in the numbers of a run counts as trouble.
///
/// The defaults are chosen for few false alarms: a healthy run with noise raises none.
public struct AlertThresholds: Sendable, Hashable, Codable {
    /// Confidence of the judgement whether the loss still falls, one-sided.
    /// - Default: 0.95. Example: 0.99, for fewer and later alerts.
    public var confidence = 0.95

    /// A loss so many robust standard deviations above its neighbours is a spike.
    /// - Default: 6. Example: 10, where single examples make a batch.
    /// - Note: The deviation is taken from differences of neighbouring steps (1.4826 · MAD / √2), which neither a trend
    ///   nor the spike itself can blow up.
    public var spikeZScore = 6.0

    /// The loss has diverged when the median of ten steps is above the best such median by so many robust standard
    /// deviations and by at least a tenth; or when it has doubled.
    /// - Default: 4. Example: 8.
    public var divergenceZScore = 4.0

    /// A plateau: over a quarter of the run the loss falls by less than this share of itself.
    /// - Default: 0.01. Example: 0.002.
    public var plateauMinFall = 0.01

    /// A plateau is only looked for while the learning rate is at least this share of its peak: at the end of a schedule
    /// a flat loss is what is wanted.
    /// - Default: 0.5. Example: 0.1.
    public var plateauMinRateShare = 0.5

    /// Overfitting: the evaluation loss must be above its best by this share.
    /// - Default: 0.01. Example: 0.05.
    public var overfittingRise = 0.01

    /// Overfitting: evaluations since the best one.
    /// - Default: 2. Example: 3.
    public var overfittingPatience = 2

    /// The training loss must come to lie below the entropy of the labels' frequencies by this share of it. That entropy,
    /// −Σ p log p, is the loss of a model that knows how often each token comes and nothing of what stands before it; where
    /// the loss stays there after the warm-up, the labels cannot be predicted from their context: they are shuffled, or do
    /// not belong to it.
    /// - Default: 0.15. Example: 0.3, where the model knows the language and its tokens are whole characters or words; 0 to
    ///   switch this off, where a model is trained from nothing, which passes through this.
    /// - Note: Judged once a tenth of the run is done. What is shuffled may still have parts that can be predicted: the
    ///   template's turn markers, the bytes of a character that the tokenizer does not know as a whole.
    public var minContextGain = 0.15

    /// Steps over which the median gradient norm is held against `grad_norm_bounds`.
    /// - Default: 10. Example: 50.
    public var gradientNormWindow = 10

    /// The learning rate is effectively zero below this share of its peak.
    /// - Default: 0.001. Example: 0.01.
    public var zeroRateShare = 0.001

    /// … which is trouble only while more than this share of all steps remains.
    /// - Default: 0.05. Example: 0.2.
    public var zeroRateRemaining = 0.05

    /// Throughput has collapsed when the median of ten steps' tokens/s is below this share of the best such median.
    /// - Default: 0.5. Example: 0.8.
    public var throughputShare = 0.5

    /// Memory grows on when it has grown, evenly, by this share of itself over the last forty readings (of those that
    /// lie at least a hundredth of the run apart).
    /// - Default: 0.02. Example: 0.1.
    public var memoryGrowthShare = 0.02

    /// … and by at least so many MiB.
    /// - Default: 32. Example: 256.
    public var memoryGrowthMiB = 32.0

    /// Rewards of preferences: a median margin of ten steps above this is one of pairs that are known by heart.
    /// - Default: 10. Example: 30, for a loss whose margins are not bounded by β.
    public var maxRewardMargin: Double {
        get { rewardMargin ?? 10 }
        set { rewardMargin = newValue }
    }

    /// The mean log-probability of the held-out chosen completions has fallen when it lies below its best by this share of it
    /// in two evaluations in a row.
    /// - Default: 0.1. Example: 0.3.
    public var chosenLogProbabilityFall: Double {
        get { logProbabilityFall ?? 0.1 }
        set { logProbabilityFall = newValue }
    }

    /// When half of a run of preferences is done, the chosen completion must have the greater reward in this share of the
    /// pairs of the last steps.
    /// - Default: 0.55. Example: 0, to switch this off.
    public var minPreferenceAccuracy: Double {
        get { preferenceAccuracy ?? 0.55 }
        set { preferenceAccuracy = newValue }
    }

    // Monitors of older checkpoints were written without these.
    private var rewardMargin, logProbabilityFall, preferenceAccuracy: Double?

    /// The defaults.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case confidence
        case spikeZScore = "spike_z_score"
        case divergenceZScore = "divergence_z_score"
        case plateauMinFall = "plateau_min_fall"
        case plateauMinRateShare = "plateau_min_rate_share"
        case overfittingRise = "overfitting_rise"
        case overfittingPatience = "overfitting_patience"
        case minContextGain = "min_context_gain"
        case gradientNormWindow = "grad_norm_window"
        case zeroRateShare = "zero_rate_share"
        case zeroRateRemaining = "zero_rate_remaining"
        case throughputShare = "throughput_share"
        case memoryGrowthShare = "memory_growth_share"
        case memoryGrowthMiB = "memory_growth_mib"
        case rewardMargin = "max_reward_margin"
        case logProbabilityFall = "chosen_logps_fall"
        case preferenceAccuracy = "min_reward_accuracy"
    }

    func validate() throws(MonitorError) {
        try Check.require("alerts.confidence", confidence, from: 0.5, through: 0.999_999)
        try Check.require("alerts.spike_z_score", spikeZScore, above: 0)
        try Check.require("alerts.divergence_z_score", divergenceZScore, above: 0)
        try Check.require("alerts.plateau_min_fall", plateauMinFall, from: 0)
        try Check.require("alerts.plateau_min_rate_share", plateauMinRateShare, from: 0, through: 1)
        try Check.require("alerts.overfitting_rise", overfittingRise, from: 0)
        try Check.require("alerts.overfitting_patience", overfittingPatience, in: 1...Int.max)
        try Check.require("alerts.min_context_gain", minContextGain, from: 0, through: 1)
        try Check.require("alerts.grad_norm_window", gradientNormWindow, in: 1...100_000)
        try Check.require("alerts.zero_rate_share", zeroRateShare, from: 0, through: 1)
        try Check.require("alerts.zero_rate_remaining", zeroRateRemaining, from: 0, through: 1)
        try Check.require("alerts.throughput_share", throughputShare, from: 0, through: 1)
        try Check.require("alerts.memory_growth_share", memoryGrowthShare, from: 0)
        try Check.require("alerts.memory_growth_mib", memoryGrowthMiB, from: 0)
        try Check.require("alerts.max_reward_margin", maxRewardMargin, above: 0)
        try Check.require("alerts.chosen_logps_fall", chosenLogProbabilityFall, above: 0)
        try Check.require("alerts.min_reward_accuracy", minPreferenceAccuracy, from: 0, through: 1)
    }
}
