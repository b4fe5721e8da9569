internal import Foundation
internal import MenoMetrics
internal import MenoModels
internal import MenoTensor
internal import MenoTokenizers

/// Asks the model a few questions after every evaluation and tells the answers.
///
/// Answers are greedy: no random number is drawn, so that a run computes the same with and without them.
final class Prober: SteeringObserver {
    private let model: LoadedModel
    private let template: ChatTemplate
    private let opening: [ChatMessage]
    private let questions: [String]
    private let maxNewTokens: Int
    private let maxShare: Double
    private let isCancelled: () -> Bool
    private let clock = ContinuousClock()
    private var start: ContinuousClock.Instant?
    private var spent = Duration.zero
    private var saidThatSkipped = false
    private var requests: [RunRequest] = []

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

    func observe(_ event: RunEvent) throws {
        switch event {
        case .started: start = clock.now
        case .evaluated(let metrics): try probe(after: metrics.step)
        default: break
        }
    }

    func takeRequests() -> [RunRequest] {
        defer { requests = [] }
        return requests
    }

    private func probe(after step: Int) throws {
        guard !isCancelled(), let start else { return }
        guard spent <= (clock.now - start) * maxShare else {
            guard !saidThatSkipped else { return }
            saidThatSkipped = true
            let share = "\(Int((100 * maxShare).rounded())) %"
            requests.append(
                .tell(
                    .notice("probe questions have taken more than \(share) of the time: not asked at each evaluation")))
            return
        }
        defer { Torch.releaseUnusedHostMemory() }
        var answers: [ProbeAnswer] = []
        for question in questions {
            let began = clock.now
            let answer = try model.answer(
                opening + [ChatMessage(.user, question)], template: template, sampling: .greedy,
                maxNewTokens: maxNewTokens,
                onText: { [isCancelled] _ in !isCancelled() })
            guard answer.end != .cancelled else { return }
            let time = clock.now - began
            spent += time
            answers.append(
                ProbeAnswer(
                    question: question, answer: answer.text, isComplete: answer.end == .stopToken,
                    tokens: answer.tokens, seconds: time / .seconds(1)))
        }
        requests.append(.tell(.probed(step: step, answers: answers)))
    }
}
