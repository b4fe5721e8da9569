internal import MenoMetrics

/// What one score says of a probing.
struct ProbeFinding {
    let kind: Alert.Kind
    /// The share of the answers that the score counts.
    let value: Double
    let isTrouble: Bool
    private let values: [String: Double]

    init(_ kind: Alert.Kind, value: Double, isTrouble: Bool, extra: [String: Double]) {
        self.kind = kind
        self.value = value
        self.isTrouble = isTrouble
        values = extra
    }

    init(_ kind: Alert.Kind, value: Double, bound: Double) {
        self.init(kind, value: value, isTrouble: value > bound, extra: ["bound": bound])
    }

    func alert(from start: Int, at scores: ProbeScores) -> Alert {
        let count = scores.answers.count
        let share = "\(Int((value * Double(count)).rounded())) of \(count) answers to the probe questions"
        return Alert(
            kind: kind, severity: .warning, startStep: start, detectedStep: scores.step,
            message: message(share, scores), advice: advice, values: values.merging(["share": value]) { $1 })
    }

    private func message(_ share: String, _ scores: ProbeScores) -> String {
        switch kind {
        case .questionsMissing:
            "Only \(share) ask a question back; at best it was "
                + "\(format(100 * (values["best_share"] ?? 0))) %."
        case .answersRepetitive:
            "\(share) repeat themselves (mean distinct-2 \(format(scores.distinct2 ?? 0)), longest repeated span "
                + "\(format(100 * scores.repeatedSpanShare)) % of its answer)."
        case .questionsRepeated: "\(share) ask the same question as another answer."
        case .answersEmpty: "\(share) are empty."
        case .answersTruncated: "\(share) do not end with the end-of-turn token."
        case .wrongLanguage: "\(share) are not in the language of the question."
        default: share
        }
    }

    private var advice: String {
        switch kind {
        case .questionsMissing:
            "Train longer, or check that the answers in the data ask questions. With a loss on completions only, the model learns from the answers alone."
        case .answersRepetitive:
            "The model may be overtrained: compare it with an earlier checkpoint, and lower the learning rate or the "
                + "number of epochs."
        case .questionsRepeated:
            "The model keeps repeating one phrase: use more varied data, fewer epochs, or an earlier checkpoint."
        case .answersEmpty: "Check the chat template, and that the data has no empty answers."
        case .answersTruncated:
            "Check that the end-of-turn token counts in the loss and that examples are not cut, or allow longer "
                + "answers."
        case .wrongLanguage: "Check the language of the data, and whether its questions and answers match."
        default: ""
        }
    }
}
