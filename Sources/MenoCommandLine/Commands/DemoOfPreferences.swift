import ArgumentParser
import Foundation
import Meno
import MenoConfiguration
import MenoMetrics
import MenoMonitor
import MenoTokenizers

/// The second half of `meno demo --preferences`: the adapter from the first half is trained on pairs of answers.
struct DemoOfPreferences {
    /// Questions for measuring how many answers ask back.
    let questions: [String]

    private static let shown = 3

    /// - Parameter shares: the shares of answers that ask back, before any training and after supervised training.
    func run(_ configuration: RunConfiguration, before shares: [Double]) throws {
        Console.note("\nnow the preferences: \(configuration.data.path)")
        let session = try TrainingSession(
            configuration, overwrites: true, log: ConsoleLog(), shouldStop: { Interruption.isRequested })
        let before = try answers(session)
        let evaluations = EvaluationCollector()
        guard try session.run(observers: [evaluations]).reason != .interrupted else {
            ConsoleLog().note("resume it with `meno train … --resume auto`")
            throw ExitCode(Status.interrupted)
        }
        let after = try answers(session)
        for index in questions.indices.prefix(Self.shown) {
            print("\nQ       \(questions[index])")
            print("before  \(line(before[index]))")
            print("after   \(line(after[index]))")
        }
        if let first = evaluations.all.first, let last = evaluations.all.last {
            let percent = { (metrics: EvaluationMetrics) in
                metrics.objective?[.rewardAccuracies].map { String(format: "%.0f %%", 100 * $0) } ?? "?"
            }
            print(
                "\nheld-out pairs       loss \(String(format: "%.3f", first.loss)) before, "
                    + "\(String(format: "%.3f", last.loss)) after; \(percent(last)) of \(last.samples) ranked correctly"
            )
        }
        let all = (shares + [share(after)]).map { String(format: "%.0f %%", 100 * $0) }
        let stages = ["before", "after the dialogues", "after the preferences"]
        let told = zip(all, stages).map { "\($0) \($1)" }.joined(separator: ", ")
        print("answers that ask back  \(told) (\(questions.count) questions)")
        let run = RunLayout(URL(filePath: configuration.baseOutputDirectory))
        print("the adapter          \(run.model.relativePath)")
        print("the report           \(run.report.relativePath)")
    }

    /// The share of the answers to the questions that ask back.
    func askingShare(_ session: TrainingSession) throws -> Double { share(try answers(session)) }

    private func share(_ answers: [ProbeAnswer]) -> Double {
        Double(answers.count { AnswerScores($0).asksBack }) / Double(max(1, answers.count))
    }

    private func answers(_ session: TrainingSession) throws -> [ProbeAnswer] {
        let template = try session.template ?? ChatTemplate.named("auto", for: session.model.tokenizer)
        return try questions.map { question in
            let answer = try session.model.answer(
                [ChatMessage(.user, question)], template: template, sampling: .greedy, maxNewTokens: 80)
            return ProbeAnswer(
                question: question, answer: answer.text, isComplete: answer.end == .stopToken, tokens: answer.tokens,
                seconds: 0)
        }
    }

    private func line(_ answer: ProbeAnswer) -> String {
        let line = answer.answer.split(separator: "\n").joined(separator: " ⏎ ")
        return line.isEmpty ? "(nothing)" : line
    }
}
