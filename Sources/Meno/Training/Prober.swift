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
        let began = clock.now
        let answers = try model.answers(
            questions.map { opening + [ChatMessage(.user, $0)] }, template: template, maxNewTokens: maxNewTokens,
            isCancelled: isCancelled)
        guard !answers.contains(where: { $0.end == .cancelled }) else { return [] }
        let time = clock.now - began
        spent += time
        // They are made together: each has its share of the time, by its tokens.
        let tokens = answers.reduce(0) { $0 + max(1, $1.tokens) }
        let probed = zip(questions, answers).map { question, answer in
            ProbeAnswer(
                question: question, answer: answer.text, isComplete: answer.end == .stopToken, tokens: answer.tokens,
                seconds: time / .seconds(1) * Double(max(1, answer.tokens)) / Double(tokens))
        }
        return [.probed(step: evaluation.step, answers: probed)]
    }
}
