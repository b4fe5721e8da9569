package import MenoData
package import MenoMetrics
package import MenoModels

/// A loss of pairs: its mean over the pairs of a step.
package struct PairObjective: Objective {
    private let pairLoss: any PairLoss
    private let reference: ReferenceModel

    package init(_ loss: any PairLoss, reference: ReferenceModel = .none) {
        pairLoss = loss
        self.reference = reference
    }

    package var arrangements: [PassArrangement] { [.pairs(learnsPrompt: pairLoss.learnsPrompt)] }

    package func weight(of pass: Pass) -> Int { pass.exampleCount }

    package func totals(of passes: [Pass], by model: Decoder) throws -> StepTotals {
        StepTotals(
            weight: passes.reduce(0) { $0 + weight(of: $1) },
            tokens: pairLoss.likelihoodWeight == 0 ? 0 : passes.reduce(0) { $0 + chosenLabels(of: $1) })
    }

    private func chosenLabels(of pass: Pass) -> Int {
        pass.layout.predictions(of: pass.labels).count { pass.members[$0.sequence].role == .chosen }
    }

    package func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
        let references = pairLoss.usesReference ? try reference.scores(of: pass, beside: model) : nil
        let scores = try SequenceScores(pass, by: model)
        var value = 0.0
        var tallies = Tallies()
        var completions = Array(repeating: 0.0, count: pass.members.count)
        var labels = completions
        // A mean over the tokens of the step, within a sum that is divided by its pairs.
        let factor = step.tokens > 0 ? pairLoss.likelihoodWeight * Double(step.weight) / Double(step.tokens) : 0
        for (chosen, rejected) in pass.pairs {
            let pair = ScoredPair(
                chosen: side(chosen, scores, references), rejected: side(rejected, scores, references))
            let result = pairLoss.evaluate(pair)
            value += result.loss + factor * scores.labelLosses[chosen]
            (completions[chosen], completions[rejected]) = (result.chosenGradient, result.rejectedGradient)
            labels[chosen] = factor
            for (metric, measured) in result.metrics { tallies.add(measured, to: metric) }
            if pairLoss.reportsLikelihood {
                tallies.add(scores.labelLosses[chosen], to: .likelihoodLoss, count: Double(scores.labels[chosen]))
            }
        }
        return PassLoss(
            sum: try scores.scalar(completions: completions, labels: labels), value: value, tallies: tallies)
    }

    private func side(_ sequence: Int, _ scores: SequenceScores, _ references: [Double]?) -> ScoredPair.Side {
        ScoredPair.Side(
            logProbability: scores.logProbabilities[sequence], reference: references?[sequence] ?? 0,
            tokens: scores.tokens[sequence])
    }

    package func metrics(_ tallies: Tallies) -> ObjectiveMetrics? { ObjectiveMetrics(tallies.means) }

    package func evaluate(
        _ part: PassPlan.Part, of examples: [Example], by model: Decoder
    ) throws -> [Evaluation.Row] {
        let references = pairLoss.usesReference ? try reference.scores(of: part.pass, beside: model) : nil
        let scores = try SequenceScores(part.pass, by: model)
        return part.pass.pairs.map { chosen, rejected in
            var row = scores.row(of: chosen)
            row.preference = PreferenceRow(
                chosen: side(chosen, scores, references), rejected: side(rejected, scores, references))
            return row
        }
    }

    package func summary(_ rows: [Evaluation.Row]) -> Evaluation.Summary? {
        var tallies = Tallies()
        var (loss, likelihood, tokens) = (0.0, 0.0, 0)
        for row in rows {
            guard let chosen = row.preference?.chosen, let rejected = row.preference?.rejected else { continue }
            let result = pairLoss.evaluate(ScoredPair(chosen: chosen, rejected: rejected))
            loss += result.loss
            likelihood += row.negativeLogLikelihood
            tokens += row.tokens
            for (metric, measured) in result.metrics { tallies.add(measured, to: metric) }
        }
        let mean = tokens > 0 ? likelihood / Double(tokens) : 0
        if pairLoss.reportsLikelihood, tokens > 0 { tallies.add(mean, to: .likelihoodLoss) }
        return Evaluation.Summary(
            loss: rows.isEmpty ? .nan : loss / Double(rows.count) + pairLoss.likelihoodWeight * mean,
            metrics: ObjectiveMetrics(tallies.means))
    }
}

extension Pass {
    /// The positions of the two sequences of each pair.
    var pairs: [(chosen: Int, rejected: Int)] {
        var chosen: [Int: Int] = [:]
        var result: [(chosen: Int, rejected: Int)] = []
        for (sequence, member) in members.enumerated() {
            switch member.role {
            case .chosen: chosen[member.example] = sequence
            case .rejected: if let first = chosen[member.example] { result.append((first, sequence)) }
            case .mismatched: break
            }
        }
        return result
    }
}

extension SequenceScores {
    /// The likelihood of a sequence as an evaluation reports it.
    func row(of sequence: Int) -> Evaluation.Row {
        var row = Evaluation.Row()
        row.tokens = labels[sequence]
        row.negativeLogLikelihood = labelLosses[sequence]
        row.correct = correct[sequence]
        row.completionTokens = tokens[sequence]
        row.completionNegativeLogLikelihood = -logProbabilities[sequence]
        return row
    }
}
