/// A trouble that was noticed in a run: from when to when, with the numbers it was noticed by and what can be done.
public struct Alert: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable, CodingKeyRepresentable, CaseIterable {
        /// The loss does not fall any more, though the learning rate is still high.
        case lossPlateau
        /// The loss has risen well above the best level it had, and stays there.
        case lossDivergence
        /// Single steps with a loss far above their neighbours'.
        case lossSpike
        /// The evaluation loss rises while the training loss is far below it.
        case overfitting
        case gradientNormOutOfBounds
        /// The learning rate is effectively zero while steps remain.
        case learningRateZero
        case throughputCollapse
        case memoryGrowth
        /// A loss or a gradient was not a finite number.
        case notFinite
        /// Answers to the probe questions do not ask anything back.
        case questionsMissing
        /// Answers repeat themselves.
        case answersRepetitive
        /// Different probe questions get the same question back.
        case questionsRepeated
        case answersEmpty
        /// Answers do not end by themselves.
        case answersTruncated
        case wrongLanguage
    }

    public enum Severity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
        case info
        case warning
        /// The run is unlikely to give anything useful if it goes on.
        case critical

        public static func < (a: Severity, b: Severity) -> Bool { a.rank < b.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    }

    public var kind: Kind
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

    public init(
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
}
