internal import MenoData
package import MenoModels
internal import MenoTensor

/// How probable a model finds the sequences of a pass.
struct SequenceScores {
    /// Σ log p of each sequence's completion, in nats, added up in float64, and its tokens.
    private(set) var logProbabilities: [Double]
    private(set) var tokens: [Int]
    /// Of each sequence, the labels that are predicted, Σ −log p of them, and how many of them the model ranks first. Where
    /// the prompt has labels, it is in them.
    private(set) var labels: [Int]
    private(set) var labelLosses: [Double]
    private(set) var correct: [Int]
    private let losses: TargetLosses?
    private let predictions: [SequenceLayout.Prediction]
    private let members: [Pass.Member]

    init(_ pass: Pass, by model: Decoder) throws {
        let count = pass.members.count
        precondition(count == pass.layout.lengths.count, "the objective has to know what each sequence is")
        members = pass.members
        (logProbabilities, tokens) = (Array(repeating: 0, count: count), Array(repeating: 0, count: count))
        (labels, correct) = (tokens, tokens)
        labelLosses = logProbabilities
        guard
            let (losses, predictions) = try model.targetLosses(
                inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout)
        else {
            (self.losses, self.predictions) = (nil, [])
            return
        }
        (self.losses, self.predictions) = (losses, predictions)
        let values: [Float] = try losses.terms.detached().array()
        for (place, prediction) in predictions.enumerated() {
            let sequence = prediction.sequence
            labels[sequence] += 1
            labelLosses[sequence] += Double(values[place])
            if losses.isCorrect[place] { correct[sequence] += 1 }
            guard prediction.position >= members[sequence].completionStart else { continue }
            logProbabilities[sequence] -= Double(values[place])
            tokens[sequence] += 1
        }
    }

    /// A scalar whose gradient is that of a loss.
    /// - Parameters:
    ///   - completions: of each sequence, the derivative of the loss with respect to Σ log p of its completion.
    ///   - labels: of each sequence, the derivative with respect to Σ −log p of its labels.
    /// - Returns: `nil` where nothing is predicted.
    func scalar(completions: [Double], labels: [Double]) throws -> Tensor? {
        guard let losses else { return nil }
        let weights = predictions.map { prediction in
            let sequence = prediction.sequence
            let isCompletion = prediction.position >= members[sequence].completionStart
            return Float(labels[sequence] - (isCompletion ? completions[sequence] : 0))
        }
        return try (losses.terms * Tensor(weights, device: losses.terms.device)).sum(along: [0])
    }
}

/// Where the log-probabilities of the reference model come from.
package enum ReferenceModel {
    /// There is no reference, or all of them are computed already.
    case none
    /// The model with adapters that it had, or without any.
    case adapters(AdapterSnapshot)
    /// Another model.
    case decoder(Decoder)

    /// Σ log p of the completion of each sequence of a pass, without gradients.
    /// - Parameter model: the one that is trained.
    func scores(of pass: Pass, beside model: Decoder) throws -> [Double] {
        if pass.members.allSatisfy({ $0.reference != nil }) { return pass.members.map { $0.reference ?? 0 } }
        return try withoutGradient {
            switch self {
            case .none: pass.members.map { $0.reference ?? 0 }
            case .adapters(let snapshot):
                try model.computing(with: snapshot) { try SequenceScores(pass, by: model).logProbabilities }
            case .decoder(let decoder): try SequenceScores(pass, by: decoder).logProbabilities
            }
        }
    }
}
