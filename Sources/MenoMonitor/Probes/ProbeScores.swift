/// The answers of one probing, scored.
package struct ProbeScores: Sendable, Hashable, Codable {
    package var step: Int
    /// In the order of the probe questions.
    package var answers: [AnswerScores]
    /// Answers whose last question is also asked in answer to another probe, now or at a recent probing.
    package var sameQuestions: Int

    /// The share of the answers that ask something back, 0…1.
    package var askingShare: Double { share(\.asksBack) }
    package var repetitiveShare: Double { share(\.isRepetitive) }
    package var emptyShare: Double { share(\.isEmpty) }
    package var truncatedShare: Double { share(\.isTruncated) }
    package var wrongLanguageShare: Double { share(\.isInWrongLanguage) }
    package var sameQuestionShare: Double { ratio(sameQuestions) }
    /// The mean over the answers that have one.
    package var distinct1: Double? { Moments.mean(answers.compactMap(\.distinct1)) }
    /// The mean over the answers that have one.
    package var distinct2: Double? { Moments.mean(answers.compactMap(\.distinct2)) }
    /// The longest of all answers, as a share of its answer, 0…1.
    package var repeatedSpanShare: Double { answers.map(\.repeatedSpanShare).max() ?? 0 }

    private func share(_ isCounted: (AnswerScores) -> Bool) -> Double { ratio(answers.filter(isCounted).count) }
    private func ratio(_ count: Int) -> Double { answers.isEmpty ? 0 : Double(count) / Double(answers.count) }
}
