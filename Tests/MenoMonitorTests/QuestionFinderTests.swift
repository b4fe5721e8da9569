import Foundation
import MenoTesting
import Testing

@testable import MenoMonitor

struct QuestionFinderTests {
    @Test(arguments: [
        ("なるほど。では、その喜びと幸せは、何か違いがあるのかね？", ["では、その喜びと幸せは、何か違いがあるのかね？"]),
        ("勇気とは何か。それを考えよう。", ["勇気とは何か。"]),
        ("あなたはどう思いますか", ["あなたはどう思いますか"]),
        ("どうしてそう思うのかな。根拠は何ですか？", ["どうしてそう思うのかな。", "根拠は何ですか？"]),
        ("本当にそうだろうか。そうではないでしょうか。", ["本当にそうだろうか。", "そうではないでしょうか。"]),
        ("それはなぜですか？！", ["それはなぜですか？！"]),
        ("What is virtue? I do not know.", ["What is virtue?"]),
        ("I see. And why do you think so?", ["And why do you think so?"]),
        ("**Why?**", ["**Why?**"]),
        ("¿Qué es la virtud? Sí.", ["¿Qué es la virtud?"]),
    ])
    func finds(text: String, questions: [String]) {
        #expect(QuestionFinder.questions(in: text) == questions)
    }

    @Test(arguments: [
        "", "？", "???", "はい、そうです。", "今日はここまでにしようか。", "また語り合おうではないか。",
        "なるほど、そうか。", "静かです。とても静か。", "まだ何か", "I see.", "What a day!",
        "https://example.org/?q=1 を見てください。", "彼は「なぜですか？」と尋ねました。", "She asked \"why?\" and left.",
    ])
    func findsNone(text: String) {
        #expect(QuestionFinder.questions(in: text) == [])
    }

    /// Unclosed quotations, only marks, one endless line: no cost beyond the text's.
    @Test(arguments: ["「", "？", "か。", "\"?", "」「", "。"])
    func longTextsAreReadInTime(piece: String) {
        let text = String(repeating: piece, count: 200_000)
        #expect(QuestionFinder.questions(in: text).count <= 6_000)
    }

    /// The answers that the default model is tuned on are those of a Socrates: all but the farewells ask something.
    @Test(.enabled(if: Fixtures.socraticDialogues != nil, "the real dialogues are absent"))
    func realSocraticAnswersAsk() throws {
        struct Dialogue: Decodable {
            struct Message: Decodable {
                var role: String
                var content: String
            }
            var messages: [Message]
        }
        let data = try Data(contentsOf: #require(Fixtures.socraticDialogues))
        let answers = try JSONDecoder().decode([Dialogue].self, from: data).flatMap(\.messages)
            .filter { $0.role == "model" }.map(\.content)
        let asking = answers.filter { !QuestionFinder.questions(in: $0).isEmpty }
        #expect(Double(asking.count) > 0.88 * Double(answers.count), "\(asking.count) of \(answers.count)")
    }
}
