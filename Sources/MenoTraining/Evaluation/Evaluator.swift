public import MenoData
public import MenoModels
internal import MenoTensor

/// Computes losses without gradients and without keeping logits: memory does not grow with the number of examples.
public struct Evaluator {
    private let model: Decoder
    private let tokensPerPass: Int

    public init(_ model: Decoder, tokensPerPass: Int = 2048) {
        self.model = model
        self.tokensPerPass = tokensPerPass
    }

    /// - Parameter onProgress: called with the number of examples done; returning `false` ends the evaluation with
    ///   ``TrainingError/Code/interrupted``.
    public func evaluate(_ examples: [Example], onProgress: (Int) -> Bool = { _ in true }) throws -> Evaluation {
        let clock = ContinuousClock()
        let start = clock.now
        var rows: [Evaluation.Row] = []
        rows.reserveCapacity(examples.count)
        try withoutGradient {
            for range in Pass.plan(examples, tokens: tokensPerPass) {
                rows += try self.rows(of: Array(examples[range]))
                guard onProgress(range.upperBound) else {
                    throw TrainingError(.interrupted, "the evaluation was interrupted.")
                }
            }
        }
        return Evaluation(rows: rows, seconds: (clock.now - start).seconds)
    }

    private func rows(of examples: [Example]) throws -> [Evaluation.Row] {
        let pass = Pass(examples)
        let (losses, indices) = try model.loss(inputIDs: pass.inputIDs, labels: pass.labels, layout: pass.layout)
        var rows = Array(repeating: Evaluation.Row(), count: examples.count)
        var (row, start) = (0, 0)
        for (place, index) in indices.enumerated() {
            while index >= start + examples[row].ids.count {
                start += examples[row].ids.count
                row += 1
            }
            let cost = Double(losses.values[place])
            rows[row].tokens += 1
            rows[row].negativeLogLikelihood += cost
            if losses.isCorrect[place] { rows[row].correct += 1 }
            if examples[row].isCompletion[index - start] {
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
