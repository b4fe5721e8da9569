/// When answers to probe questions count as trouble. Each must hold at two probings in a row, the one before the first
/// step aside.
public struct ProbeThresholds: Sendable, Hashable, Codable {
    /// In the second half of a run at least this share of the answers asks something back.
    /// - Default: 0.5. Example: 0, to switch this off where a model is not meant to ask.
    public var minAskingShare = 0.5

    /// Nor may the share fall by this much below the best it was.
    /// - Default: 0.4. Example: 1, to switch this off.
    public var maxAskingFall = 0.4

    /// An answer whose share of different two-unit sequences (distinct-2) is below this repeats itself.
    /// - Default: 0.35. Example: 0.5.
    /// - Note: Units are characters in Japanese and words elsewhere. Only answers of 12 units or more are judged.
    public var minDistinct2 = 0.35

    /// An answer repeats itself, too, when one span that occurs twice makes up more than this share of it.
    /// - Default: 0.4. Example: 0.25.
    public var maxRepeatedSpanShare = 0.4

    /// Trouble when more than this share of the answers repeats itself.
    /// - Default: 0.3. Example: 0.
    public var maxRepetitiveShare = 0.3

    /// Two questions are the same when the Dice coefficient of their character pairs is at least this.
    /// - Default: 0.8. Example: 0.95.
    public var sameQuestionSimilarity = 0.8

    /// Trouble when more than this share of the answers asks what another probe's answer asks, or asked at one of the
    /// last `sameQuestionMemory` probings.
    /// - Default: 0.5. Example: 0.3.
    public var maxSameQuestionShare = 0.5

    /// How many earlier probings a question is compared with.
    /// - Default: 3. Example: 0, to compare only within a probing.
    public var sameQuestionMemory = 3

    /// Trouble when more than this share of the answers is empty.
    /// - Default: 0.2. Example: 0.
    public var maxEmptyShare = 0.2

    /// Trouble when more than this share of the answers is cut by the limit of tokens.
    /// - Default: 0.5. Example: 1, where the limit is meant to cut.
    public var maxTruncatedShare = 0.5

    /// Trouble when more than this share of the answers is not in the language of its question.
    /// - Default: 0.3. Example: 1, where answers in another language are meant.
    public var maxWrongLanguageShare = 0.3

    /// The defaults.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case minAskingShare = "min_asking_share"
        case maxAskingFall = "max_asking_fall"
        case minDistinct2 = "min_distinct_2"
        case maxRepeatedSpanShare = "max_repeated_span_share"
        case maxRepetitiveShare = "max_repetitive_share"
        case sameQuestionSimilarity = "same_question_similarity"
        case maxSameQuestionShare = "max_same_question_share"
        case sameQuestionMemory = "same_question_memory"
        case maxEmptyShare = "max_empty_share"
        case maxTruncatedShare = "max_truncated_share"
        case maxWrongLanguageShare = "max_wrong_language_share"
    }

    func validate() throws(MonitorError) {
        let shares = [
            ("min_asking_share", minAskingShare), ("max_asking_fall", maxAskingFall), ("min_distinct_2", minDistinct2),
            ("max_repeated_span_share", maxRepeatedSpanShare), ("max_repetitive_share", maxRepetitiveShare),
            ("same_question_similarity", sameQuestionSimilarity), ("max_same_question_share", maxSameQuestionShare),
            ("max_empty_share", maxEmptyShare), ("max_truncated_share", maxTruncatedShare),
            ("max_wrong_language_share", maxWrongLanguageShare),
        ]
        for (key, value) in shares { try Check.require("probes.\(key)", value, from: 0, through: 1) }
        try Check.require("probes.same_question_memory", sameQuestionMemory, in: 0...1_000)
    }
}
