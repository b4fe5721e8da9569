import MenoMetrics
import Testing

@testable import MenoMonitor

/// Alerts from answers to probe questions, over probings of a run of 400 steps.
struct ProbeHistoryTests {
    private static let probes = ["勇気とは何ですか。", "幸せとは何でしょう。", "正義は教えられますか。", "友とは誰のことですか。"]
    /// Answers that ask, each something of its own.
    private static let good = [
        "恐れを知らぬ者は勇気があると言えるかね？", "富める者は皆、満ち足りていると思うかな？", "では誰がそれを教える先生なのだろうか？",
        "似た者どうしは互いを必要とするのかい？",
    ]

    /// The alerts of probings every 40 steps, each with one answer to each probe.
    private func alerts(
        isComplete: Bool = true, _ answers: (_ step: Int) -> [String]
    ) throws -> (alerts: [Alert], scores: [ProbeScores]) {
        var monitor = try Monitor()
        _ = monitor.observe(.started(SyntheticRun().description))
        for step in stride(from: 0, through: 400, by: 40) {
            let probed = zip(Self.probes, answers(step)).map {
                ProbeAnswer(question: $0, answer: $1, isComplete: isComplete, tokens: 9, seconds: 1)
            }
            _ = monitor.observe(.probed(step: step, answers: probed))
        }
        return (monitor.alerts, monitor.probes.scores)
    }

    @Test func goodAnswersRaiseNothingThoughTheyStayTheSame() throws {
        let (alerts, scores) = try alerts { _ in Self.good }
        #expect(alerts.isEmpty, "\(alerts.map(\.message))")
        #expect(scores.count == 11 && scores.allSatisfy { $0.askingShare == 1 && $0.sameQuestionShare == 0 })
    }

    @Test func anUntrainedModelThatLearnsToAskIsNoTrouble() throws {
        let (alerts, _) = try alerts { step in
            step < 160 ? ["それは心の強さです。", "それは満足です。", "教えられます。", "親しい人です。"] : Self.good
        }
        #expect(alerts.isEmpty, "\(alerts.map(\.message))")
    }

    @Test func neverAskingIsTroubleInTheSecondHalf() throws {
        let (alerts, _) = try alerts { _ in ["それは心の強さです。", "それは満足です。", "教えられます。", "親しい人です。"] }
        #expect(alerts.map(\.kind) == [.questionsMissing])
        #expect(alerts[0].startStep == 200 && alerts[0].detectedStep == 240 && alerts[0].endStep == nil)
        #expect(alerts[0].message.hasPrefix("Only 0 of 4 answers"))
    }

    @Test func notAskingAnyMoreIsTroubleAtOnceAndEndsWhenItAsksAgain() throws {
        let (alerts, _) = try alerts { step in
            (80..<200).contains(step) ? ["それは心の強さです。", "それは満足です。", "教えられます。", "親しい人です。"] : Self.good
        }
        #expect(alerts.map(\.kind) == [.questionsMissing])
        #expect(alerts[0].startStep == 80 && alerts[0].detectedStep == 120 && alerts[0].endStep == 200)
    }

    @Test func aSingleBadProbingIsNone() throws {
        let (alerts, _) = try alerts { $0 == 120 ? ["", "", "", ""] : Self.good }
        #expect(alerts.isEmpty)
    }

    @Test func theSameQuestionToEveryProbe() throws {
        let (alerts, scores) = try alerts { step in
            step < 120 ? Self.good : Array(repeating: "なるほど。君はどうしてそう思うのかね？", count: 4)
        }
        #expect(alerts.map(\.kind) == [.questionsRepeated])
        #expect(alerts[0].startStep == 120 && alerts[0].detectedStep == 160)
        #expect(scores.last?.sameQuestionShare == 1)
    }

    /// Within a probing all differ, but they are passed around between the probes.
    @Test func questionsOfEarlierProbingsToOtherProbes() throws {
        let (_, scores) = try alerts { step in
            let shift = step / 40 % 4
            return Array(Self.good[shift...] + Self.good[..<shift])
        }
        #expect(scores[0].sameQuestionShare == 0)
        #expect(scores.dropFirst().allSatisfy { $0.sameQuestionShare == 1 })
    }

    struct Trouble: Sendable {
        var kind: Alert.Kind
        var answers: [String]
        var isComplete = true
    }

    @Test(arguments: [
        Trouble(kind: .answersEmpty, answers: ["", " ", good[2], good[3]]),
        Trouble(kind: .answersTruncated, answers: good, isComplete: false),
        Trouble(kind: .answersRepetitive, answers: good.map { $0 + $0 + $0 }),
        Trouble(
            kind: .wrongLanguage, answers: ["Is it courage that you mean?", "Are the rich content?", good[2], good[3]]),
    ])
    func eachTroubleIsOneAlert(trouble: Trouble) throws {
        let (alerts, _) = try alerts(isComplete: trouble.isComplete) { _ in trouble.answers }
        #expect(alerts.map(\.kind) == [trouble.kind])
        #expect(alerts[0].startStep == 40 && alerts[0].detectedStep == 80 && alerts[0].endStep == nil)
        #expect(!alerts[0].advice.isEmpty)
    }

    @Test func aProbingWithoutAnswersIsNone() throws {
        var monitor = try Monitor()
        #expect(monitor.observe(.probed(step: 40, answers: [])).isEmpty)
        #expect(monitor.probes.scores.isEmpty)
    }

    @Test func sharesOfAProbing() throws {
        let (_, scores) = try alerts { _ in ["なぜかね？", "", "はいはいはいはいはいはいはい", "Because it is so."] }
        let last = try #require(scores.last)
        #expect(last.askingShare == 0.25 && last.emptyShare == 0.25 && last.repetitiveShare == 0.25)
        #expect(last.wrongLanguageShare == 0.25 && last.truncatedShare == 0)
        #expect(last.repeatedSpanShare > 0.4)
        #expect(try #require(last.distinct2) < 1)
    }
}
