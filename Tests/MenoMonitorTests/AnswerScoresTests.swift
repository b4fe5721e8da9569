import MenoMetrics
import MenoTesting
import Testing

@testable import MenoMonitor

struct AnswerScoresTests {
    private func scores(_ answer: String, to question: String = "勇気とは何ですか。", isComplete: Bool = true) -> AnswerScores {
        AnswerScores(ProbeAnswer(question: question, answer: answer, isComplete: isComplete, tokens: 1, seconds: 0))
    }

    @Test func asksBackUnlessItOnlyEchoesTheQuestion() {
        #expect(scores("君はどう思うかね？").asksBack)
        #expect(!scores("勇気とは、何ですか？").asksBack)
        #expect(!scores("それは恐れを知ることです。").asksBack)
        #expect(
            scores("What is virtue? And what do you call good?", to: "What is virtue?").questions == [
                "And what do you call good?"
            ])
    }

    @Test func unitsAreCharactersInJapaneseAndWordsElsewhere() {
        #expect(TextUnits.units("私は、OK です。Fine!") == ["私", "は", "ok", "で", "す", "fine"])
        #expect(TextUnits.units("Ｗｈｙ　ｎｏｔ？") == ["why", "not"])
        #expect(TextUnits.units("…！？") == [])
        #expect(TextUnits.normalized(" なぜ、そう思う？ ") == "なぜそう思う")
    }

    /// By hand: "a b a b" has 2 of 4 units, 2 of 3 pairs, and a span of 2 that occurs twice.
    @Test func distinctSharesAndSpansByHand() {
        let scored = scores("a b a b", to: "?")
        #expect(scored.distinct1 == 0.5)
        #expect(scored.distinct2 == 2.0 / 3)
        #expect(scored.longestRepeatedSpan == 2)
        #expect(scored.repeatedSpanShare == 0.5)
        #expect(Repetition.distinct(3, of: ["a", "b"]) == nil)
    }

    /// Against the plain definition, on short random texts of few letters.
    @Test func longestRepeatedSpanEqualsItsDefinition() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<300 {
            let units = (0..<generator.below(16)).map { _ in ["a", "b", "c"][generator.below(3)] }
            var longest = 0
            for length in stride(from: 1, through: units.count / 2, by: 1) {
                for first in 0...(units.count - 2 * length) {
                    for second in (first + length)...(units.count - length)
                    where units[first..<(first + length)] == units[second..<(second + length)] { longest = length }
                }
            }
            #expect(Repetition.longestRepeatedSpan(units) == longest, "\(units)")
        }
    }

    @Test(arguments: [
        ("はい。はい。はい。はい。はい。はい。はい。", true),
        ("why not why not why not why not why not why not why not", true),
        // One sentence, said twice.
        ("それは君の心の中にある答えではないかね。それは君の心の中にある答えではないかね。", true),
        ("はい。はい。", false),
        ("なるほど。君は研究での成功を喜びと感じるようだね。では、その喜びと幸せは、何か違いがあるのかね？", false),
        ("A brave man knows what he should fear, and what he should not; do you agree with that, my friend?", false),
    ])
    func repetition(answer: String, isRepetitive: Bool) {
        #expect(scores(answer).isRepetitive == isRepetitive)
    }

    @Test func emptyAnswersHaveNoShares() {
        for text in ["", " \n", "。？！", "🙂"] {
            let scored = scores(text)
            #expect(scored.isEmpty && scored.distinct1 == nil && scored.distinct2 == nil && !scored.isRepetitive)
            #expect(scored.repeatedSpanShare == 0 && !scored.isInWrongLanguage && !scored.asksBack)
        }
        #expect(!scores("は").isEmpty && scores("は").distinct2 == nil)
    }

    @Test func anAnswerThatTheLimitEndedIsTruncated() {
        #expect(scores("それは", isComplete: false).isTruncated)
        #expect(!scores("それは", isComplete: true).isTruncated)
    }

    @Test(arguments: [
        ("勇気とは何ですか。", "Courage is knowledge.", true),
        ("勇気とは何ですか。", "勇敢就是知道應該害怕什麼和不應該害怕什麼的知識", true),
        ("勇気とは何ですか。", "AI は道具だと思いますか？", false),
        ("勇気とは何ですか。", "OK", false),
        ("What is courage?", "勇気とは知識のことではないかね？", true),
        ("What is courage?", "It is what the Japanese call 勇気, I think.", false),
        ("What is courage?", "Мужество — это знание.", true),
        ("1 + 1 = ?", "それは二です、友よ。", false),
    ])
    func languageIsToldByScript(question: String, answer: String, isWrong: Bool) {
        #expect(scores(answer, to: question).isInWrongLanguage == isWrong)
    }

    @Test func similarityIsTheDiceCoefficientOfPairs() {
        #expect(Repetition.similarity("なぜそう思う", "なぜそう思う") == 1)
        // night: ni ig gh ht; nacht: na ac ch ht.
        #expect(Repetition.similarity("night", "nacht") == 0.25)
        #expect(Repetition.similarity("aaaa", "aa") == 0.5)
        #expect(Repetition.similarity("", "") == 0)
        #expect(Repetition.similarity("a", "ab") == 0)
    }

    /// The cost of an answer is bounded, whatever was generated.
    @Test func hugeAnswersAreJudgedByTheirBeginning() {
        let scored = scores(String(repeating: "なぜ", count: 100_000))
        #expect(scored.units == 1500 && scored.isRepetitive)
    }
}
