internal import Foundation
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor
internal import MenoTokenizers
internal import MenoTraining

/// Asks the model a few questions after every evaluation.
///
/// Answers are greedy: no random number is drawn, so that a run computes the same with and without them.
final class Prober: EvaluationStage {
    private let model: LoadedModel
    private let template: ChatTemplate
    private let opening: [ChatMessage]
    private let questions: [String]
    private let maxNewTokens: Int
    private let maxShare: Double
    private let isCancelled: () -> Bool
    private let clock = ContinuousClock()
    private var spent = Duration.zero
    private var saidThatSkipped = false

    /// - Parameters:
    ///   - opening: the turns before every question.
    ///   - maxShare: of the time since the run began; where probing has taken more, the questions are left out. The first
    ///     time they are asked in any case.
    init(
        model: LoadedModel, template: ChatTemplate, opening: [ChatMessage] = [], questions: [String], maxNewTokens: Int,
        maxShare: Double,
        isCancelled: @escaping () -> Bool
    ) {
        self.model = model
        self.template = template
        self.opening = opening
        self.questions = questions
        self.maxNewTokens = maxNewTokens
        self.maxShare = maxShare
        self.isCancelled = isCancelled
    }

    func run(after evaluation: EvaluationMetrics, elapsed: Duration) throws -> [RunEvent] {
        guard !isCancelled() else { return [] }
        guard spent <= elapsed * maxShare else {
            guard !saidThatSkipped else { return [] }
            saidThatSkipped = true
            let share = "\(Int((100 * maxShare).rounded())) %"
            return [
                .notice("probe questions have taken more than \(share) of the time: not asked at each evaluation")
            ]
        }
        defer { Torch.releaseUnusedHostMemory() }
        var answers: [ProbeAnswer] = []
        for question in questions {
            let began = clock.now
            let answer = try model.answer(
                opening + [ChatMessage(.user, question)], template: template, sampling: .greedy,
                maxNewTokens: maxNewTokens,
                onText: { [isCancelled] _ in !isCancelled() })
            guard answer.end != .cancelled else { return [] }
            let time = clock.now - began
            spent += time
            answers.append(
                ProbeAnswer(
                    question: question, answer: answer.text, isComplete: answer.end == .stopToken,
                    tokens: answer.tokens, seconds: time / .seconds(1)))
        }
        return [.probed(step: evaluation.step, answers: answers)]
    }
}
