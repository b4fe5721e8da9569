package import MenoMetrics

/// What can be said about an answer to a probe question from its text alone.
package struct AnswerScores: Sendable, Hashable, Codable {
    /// The sentences that ask something, without echoes of the probe question.
    package var questions: [String]
    /// The share of different units (characters in Japanese, words elsewhere), 0…1; `nil` of an empty answer.
    package var distinct1: Double?
    /// The share of different pairs of neighbouring units, 0…1; `nil` below two units.
    package var distinct2: Double?
    /// In units: the longest span that occurs at two places that do not overlap.
    package var longestRepeatedSpan: Int
    /// Units of the answer; at most 1,500 are counted and judged.
    package var units: Int
    /// It has no letter and no digit.
    package var isEmpty: Bool
    /// The limit of tokens ended it.
    package var isTruncated: Bool
    /// The script that tells the answer's language; `nil` where there is too little to tell.
    package var script: Script?
    /// It is not written as the question is.
    package var isInWrongLanguage: Bool
    /// It repeats itself more than the thresholds allow.
    package var isRepetitive: Bool

    /// It asks something back.
    package var asksBack: Bool { !questions.isEmpty }

    /// 0…1
    package var repeatedSpanShare: Double { Self.share(longestRepeatedSpan, of: units) }

    /// Shorter answers repeat nothing worth the name.
    private static let leastUnits = 12

    package init(_ answer: ProbeAnswer, thresholds: ProbeThresholds = ProbeThresholds()) {
        let asked = TextUnits.normalized(answer.question)
        // Saying the question over again is no asking back.
        questions = QuestionFinder.questions(in: answer.answer).filter {
            Repetition.similarity(TextUnits.normalized($0), asked) < 0.95
        }
        let units = TextUnits.units(answer.answer)
        self.units = units.count
        distinct1 = Repetition.distinct(1, of: units)
        distinct2 = Repetition.distinct(2, of: units)
        longestRepeatedSpan = Repetition.longestRepeatedSpan(units)
        isEmpty = units.isEmpty
        isTruncated = !answer.isComplete
        script = ScriptShares(answer.answer).dominant
        let expected = ScriptShares(answer.question).dominant
        isInWrongLanguage = script != nil && expected != nil && script != expected
        let isMonotonous = (distinct2 ?? 1) < thresholds.minDistinct2
        let spanShare = Self.share(longestRepeatedSpan, of: units.count)
        isRepetitive = units.count >= Self.leastUnits && (isMonotonous || spanShare > thresholds.maxRepeatedSpanShare)
    }

    private static func share(_ part: Int, of whole: Int) -> Double { whole > 0 ? Double(part) / Double(whole) : 0 }
}
