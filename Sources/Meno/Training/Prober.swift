internal import Foundation
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor
internal import MenoTokenizers
internal import MenoTraining

/// Asks the model a few questions after every evaluation.
///
/// Answers are greedy. No random number is drawn, so probing does not change what a run computes.
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
    ///   - maxShare: the maximum share of the run's time. Once probing has taken more, questions are
    ///     skipped; they are always asked the first time.
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
                .notice("probe questions have taken more than \(share) of the time, so some evaluations skip them")
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
        // Answers are generated in one batch; each gets a share of the time by its number of
        // tokens.
        let tokens = answers.reduce(0) { $0 + max(1, $1.tokens) }
        let probed = zip(questions, answers).map { question, answer in
            ProbeAnswer(
                question: question, answer: answer.text, isComplete: answer.end == .stopToken, tokens: answer.tokens,
                seconds: time / .seconds(1) * Double(max(1, answer.tokens)) / Double(tokens))
        }
        return [.probed(step: evaluation.step, answers: probed)]
    }
}
