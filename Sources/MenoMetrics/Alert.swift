/// A trouble that was noticed in a run: from when to when, with the numbers it was noticed by and what can be done.
public struct Alert: Sendable, Hashable, Codable {
    /// What was noticed.
    public enum Kind: String, Sendable, Hashable, Codable, CodingKeyRepresentable, CaseIterable {
        /// The loss does not fall any more, though the learning rate is still high.
        case lossPlateau = "loss_plateau"
        /// The loss has risen well above the best level it had, and stays there.
        case lossDivergence = "loss_divergence"
        /// Single steps with a loss far above their neighbours'.
        case lossSpike = "loss_spike"
        /// The evaluation loss rises while the training loss is far below it.
        case overfitting
        /// What stands before a label tells the model nothing of it: the loss is that of the labels' frequencies.
        case noBetterThanFrequencies = "no_better_than_frequencies"
        case gradientNormOutOfBounds = "grad_norm_out_of_bounds"
        /// The learning rate is effectively zero while steps remain.
        case learningRateZero = "learning_rate_zero"
        case throughputCollapse = "throughput_collapse"
        case memoryGrowth = "memory_growth"
        /// A loss or a gradient was not a finite number.
        case notFinite = "not_finite"
        /// Answers to the probe questions do not ask anything back.
        case questionsMissing = "questions_missing"
        /// Answers repeat themselves.
        case answersRepetitive = "answers_repetitive"
        /// Different probe questions get the same question back.
        case questionsRepeated = "questions_repeated"
        case answersEmpty = "answers_empty"
        /// Answers do not end by themselves.
        case answersTruncated = "answers_truncated"
        case wrongLanguage = "wrong_language"
    }

    /// How much it matters.
    public enum Severity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        case info
        case warning
        /// The run is unlikely to give anything useful if it goes on.
        case critical

        /// From the least to the most severe.
        public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    /// What was noticed.
    public var kind: Kind
    /// How much it matters.
    public var severity: Severity
    /// The step at which the trouble began, as far as can be told afterwards.
    public var startStep: Int
    /// The step at which it was certain enough to be told.
    public var detectedStep: Int
    /// The first step of the recovery; `nil` while the trouble lasts.
    public var endStep: Int?
    /// What was seen, in English, with its numbers.
    public var message: String
    /// What can be done, in English.
    public var advice: String
    /// The numbers that the decision was made by, all finite, for programs and for messages in other languages.
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
        // JSON has no other numbers, and alerts travel as JSON.
        self.values = values.filter(\.value.isFinite)
    }

    /// As the other keys of the files and commands that alerts are written for.
    private enum CodingKeys: String, CodingKey {
        case kind, severity, message, advice, values
        case startStep = "start_step"
        case detectedStep = "detected_step"
        case endStep = "end_step"
    }
}
