package import MenoData
package import MenoModels
internal import MenoTensor

/// Computes what a model gives the completions of examples, to be the reference of a run.
package struct ReferenceScoring {
    private let model: Decoder
    private let arrangement: PassArrangement

    /// - Parameter arePairs: whether examples have two sides.
    package init(_ model: Decoder, arePairs: Bool) {
        self.model = model
        arrangement = arePairs ? .pairs(learnsPrompt: false) : .judged
    }

    /// The examples with their reference's log-probabilities.
    /// - Parameters:
    ///   - onProgress: called with the number of examples done; `false` ends the work.
    ///   - onShortage: told where memory did not suffice for a pass.
    /// - Throws: ``TrainingError``, with `interrupted` or `outOfMemory`, or `TorchError`.
    package func scores(
        of examples: [Example], onProgress: (Int) -> Bool, onShortage: (String) -> Void
    ) throws -> [ReferenceScores] {
        let evaluator = Evaluator(model, objective: Scoring(arrangement: arrangement))
        let result = try evaluator.evaluate(examples, onProgress: onProgress, onShortage: { onShortage($1) })
        return result.rows.map { row in
            let (chosen, rejected) = (row.preference?.chosen, row.preference?.rejected)
            return ReferenceScores(
                chosen: chosen?.logProbability ?? rejected?.logProbability ?? 0,
                rejected: chosen == nil ? nil : rejected?.logProbability)
        }
    }

    /// Evaluates log-probabilities and nothing else.
    private struct Scoring: Objective {
        let arrangement: PassArrangement
        var arrangements: [PassArrangement] { [arrangement] }

        func weight(of pass: Pass) -> Int { pass.exampleCount }

        func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
            PassLoss(sum: nil, value: 0)
        }

        func evaluate(
            _ part: PassPlan.Part, of examples: [Example], by model: Decoder
        ) throws -> [Evaluation.Row] {
            let scores = try SequenceScores(part.pass, by: model)
            var rows = Array(repeating: Evaluation.Row(), count: part.examples.count)
            let places = Dictionary(uniqueKeysWithValues: part.examples.enumerated().map { ($1, $0) })
            for (sequence, member) in part.pass.members.enumerated() {
                guard let place = places[member.example] else { continue }
                let side = ScoredPair.Side(
                    logProbability: scores.logProbabilities[sequence], reference: 0, tokens: scores.tokens[sequence])
                let known = rows[place].preference ?? PreferenceRow()
                rows[place].preference =
                    member.role == .chosen
                    ? PreferenceRow(chosen: side, rejected: known.rejected)
                    : PreferenceRow(chosen: known.chosen, rejected: side)
            }
            return rows
        }
    }
}
