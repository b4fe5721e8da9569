/// A problem that was detected in a run: when it began and ended, the numbers that show it, and what can be done.
public struct Alert: Sendable, Hashable, Codable {
    /// The kind of problem.
    public enum Kind: String, Sendable, Hashable, Codable, CodingKeyRepresentable, CaseIterable {
        /// The loss has stopped falling although the learning rate is still high.
        case lossPlateau = "loss_plateau"
        /// The loss has risen well above its best level and stays there.
        case lossDivergence = "loss_divergence"
        /// Single steps with a loss far above their neighbours'.
        case lossSpike = "loss_spike"
        /// The evaluation loss rises while the training loss is far below it.
        case overfitting
        /// The model does not use the context: its loss is no better than predicting labels by their frequencies.
        case noBetterThanFrequencies = "no_better_than_frequencies"
        case gradientNormOutOfBounds = "grad_norm_out_of_bounds"
        /// The learning rate is effectively zero while steps remain.
        case learningRateZero = "learning_rate_zero"
        case throughputCollapse = "throughput_collapse"
        case memoryGrowth = "memory_growth"
        /// A loss or a gradient was not a finite number.
        case notFinite = "not_finite"
        /// Answers to the probe questions do not ask a question back.
        case questionsMissing = "questions_missing"
        /// Answers repeat themselves.
        case answersRepetitive = "answers_repetitive"
        /// Different probe questions get the same question back.
        case questionsRepeated = "questions_repeated"
        case answersEmpty = "answers_empty"
        /// Answers do not end by themselves.
        case answersTruncated = "answers_truncated"
        case wrongLanguage = "wrong_language"
        /// The margin between chosen and rejected rewards is so large that the model can only memorize the examples.
        case rewardMarginsExplode = "reward_margins_explode"
        /// The chosen completions become less probable, not only the rejected ones.
        case chosenLogProbabilityFalls = "chosen_logps_fall"
        /// The model prefers the chosen completions no more often than by chance.
        case preferencesAtChance = "preferences_at_chance"
    }

    /// The severity of an alert.
    public enum Severity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        case info
        case warning
        /// The run is unlikely to produce a useful model if it continues.
        case critical

        /// From the least to the most severe.
        public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// The kind of problem.
    public var kind: Kind
    /// The severity of an alert.
    public var severity: Severity
    /// The step at which the problem began, as estimated afterwards.
    public var startStep: Int
    /// The step at which it was certain enough to be reported.
    public var detectedStep: Int
    /// The first step of the recovery; `nil` while the problem lasts.
    public var endStep: Int?
    /// A description with numbers, in English.
    public var message: String
    /// What can be done, in English.
    public var advice: String
    /// The numbers behind the decision, all finite, for programs and for messages in other languages.
    public var values: [String: Double]

    package init(
        kind: Kind, severity: Severity, startStep: Int, detectedStep: Int, endStep: Int? = nil, message: String,
        advice: String, values: [String: Double] = [:]
    ) {
        self.kind = kind
        self.severity = severity
        self.startStep = startStep
        self.detectedStep = detectedStep
        self.endStep = endStep
        self.message = message
        self.advice = advice
        // Alerts are stored as JSON, which has only finite numbers.
        self.values = values.filter(\.value.isFinite)
    }

    /// Snake case, like the other keys in these files and commands.
    private enum CodingKeys: String, CodingKey {
        case kind, severity, message, advice, values
        case startStep = "start_step"
        case detectedStep = "detected_step"
        case endStep = "end_step"
    }
}
