public import MenoData
public import MenoModels
internal import MenoTensor

/// Computes losses without gradients and without keeping logits: memory does not grow with the number of examples.
public struct Evaluator {
    /// Tokens of a pass beyond which nothing is gained in speed.
    public static func preferredTokens(of model: Decoder) -> Int { max(2048, MemoryPlan.preferredTokens(of: model)) }

    private let model: Decoder
    private let tokensPerPass: Int

    /// - Parameter tokensPerPass: `nil`: ``preferredTokens(of:)``.
    public init(_ model: Decoder, tokensPerPass: Int? = nil) {
        self.model = model
        self.tokensPerPass = tokensPerPass ?? Self.preferredTokens(of: model)
    }

    /// - Parameter onProgress: called with the number of examples done; returning `false` ends the evaluation with
    ///   ``TrainingError/Code/interrupted``.
    public func evaluate(_ examples: [Example], onProgress: (Int) -> Bool = { _ in true }) throws -> Evaluation {
        let clock = ContinuousClock()
        let start = clock.now
        var rows = Array(repeating: Evaluation.Row(), count: examples.count)
        var done = 0
        let plan = PassPlan(examples, tokens: tokensPerPass, sharing: model.sharesBeginnings(training: false))
        try withoutGradient {
            for part in plan.parts {
                for (index, row) in try zip(part.examples, self.rows(of: part, among: examples)) { rows[index] = row }
                done += part.examples.count
                guard onProgress(done) else {
                    throw TrainingError(.interrupted, "the evaluation was interrupted.")
                }
            }
        }
        return Evaluation(rows: rows, seconds: (clock.now - start).seconds)
    }

    private func rows(of part: PassPlan.Part, among examples: [Example]) throws -> [Evaluation.Row] {
        let pass = part.pass
        let (losses, predictions) = try model.loss(
            inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout)
        var rows = Array(repeating: Evaluation.Row(), count: part.examples.count)
        for (place, prediction) in predictions.enumerated() {
            let row = prediction.sequence
            let cost = Double(losses.values[place])
            rows[row].tokens += 1
            rows[row].negativeLogLikelihood += cost
            if losses.isCorrect[place] { rows[row].correct += 1 }
            if examples[part.examples[row]].isCompletion[prediction.position] {
                rows[row].completionTokens += 1
                rows[row].completionNegativeLogLikelihood += cost
            }
        }
        return rows
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
