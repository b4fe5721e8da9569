package import MenoData
package import MenoMetrics
package import MenoModels
internal import MenoTensor

/// Kahneman-Tversky optimization (Ethayarajh et al., 2024, arXiv:2402.01306, equations 7 and 8): completions that are judged by
/// themselves, each held against the reference model and against how far the model has moved on the whole.
package struct KTOObjective: Objective {
    /// By TRL's names.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case kto
        /// Without the divergence (D'Oosterlinck et al., 2024, arXiv:2408.06266, equation 7).
        case apoZeroUnpaired = "apo_zero_unpaired"
    }

    private let kind: Kind
    private let beta: Double
    private let desirableWeight: Double
    private let undesirableWeight: Double
    private let reference: ReferenceModel

    package init(
        _ kind: Kind = .kto, beta: Double = 0.1, desirableWeight: Double = 1, undesirableWeight: Double = 1,
        reference: ReferenceModel
    ) {
        self.kind = kind
        self.beta = beta
        self.desirableWeight = desirableWeight
        self.undesirableWeight = undesirableWeight
        self.reference = reference
    }

    package var arrangements: [PassArrangement] { kind == .kto ? [.mismatched, .judged] : [.judged] }

    package func weight(of pass: Pass) -> Int { pass.isLearnt ? pass.exampleCount : 0 }

    /// The divergence is estimated over the step: max(0, mean of log p − log p of the reference over mismatched completions).
    package func totals(of passes: [Pass], by model: Decoder) throws -> StepTotals {
        let mismatched = try passes.filter { !$0.isLearnt }.flatMap { try logRatios(of: $0, by: model) }
        return StepTotals(
            weight: passes.reduce(0) { $0 + weight(of: $1) }, divergence: Self.divergence(mismatched))
    }

    private static func divergence(_ logRatios: [Double]) -> Double {
        logRatios.isEmpty ? 0 : max(0, logRatios.reduce(0, +) / Double(logRatios.count))
    }

    private func logRatios(of pass: Pass, by model: Decoder) throws -> [Double] {
        let references = try reference.scores(of: pass, beside: model)
        let scores = try withoutGradient { try SequenceScores(pass, by: model) }
        return zip(scores.logProbabilities, references).map(-)
    }

    package func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss {
        guard pass.isLearnt else { return PassLoss(sum: nil, value: 0) }
        let references = try reference.scores(of: pass, beside: model)
        let scores = try SequenceScores(pass, by: model)
        var value = 0.0
        var tallies = Tallies()
        var gradients: [Double] = []
        for (sequence, member) in pass.members.enumerated() {
            let side = ScoredPair.Side(
                logProbability: scores.logProbabilities[sequence], reference: references[sequence],
                tokens: scores.tokens[sequence])
            let loss = loss(side, isDesirable: member.role == .chosen, divergence: step.divergence)
            value += loss.value
            gradients.append(loss.chosen)
            tally(side, isDesirable: member.role == .chosen, &tallies)
        }
        tallies.add(step.divergence, to: .divergence)
        return PassLoss(
            sum: try scores.scalar(completions: gradients, labels: gradients.map { _ in 0 }), value: value,
            tallies: tallies)
    }

    /// The loss of a completion; its derivative is with respect to Σ log p of it.
    private func loss(_ side: ScoredPair.Side, isDesirable: Bool, divergence: Double) -> Dual {
        let logRatio = Dual(side.logRatio, chosen: 1)
        let shift = kind == .kto ? divergence : 0
        return isDesirable
            ? desirableWeight * (1 - (beta * (logRatio - shift)).sigmoid)
            : undesirableWeight * (1 - (beta * (shift - logRatio)).sigmoid)
    }

    private func tally(_ side: ScoredPair.Side, isDesirable: Bool, _ tallies: inout Tallies) {
        tallies.add(beta * side.logRatio, to: isDesirable ? .rewardsChosen : .rewardsRejected)
        tallies.add(side.logProbability, to: isDesirable ? .logpsChosen : .logpsRejected)
    }

    package func metrics(_ tallies: Tallies) -> ObjectiveMetrics? {
        var means = tallies.means
        if let chosen = means[.rewardsChosen], let rejected = means[.rewardsRejected] {
            means[.rewardMargins] = chosen - rejected
        }
        return ObjectiveMetrics(means)
    }

    package func evaluate(
        _ part: PassPlan.Part, of examples: [Example], by model: Decoder
    ) throws -> [Evaluation.Row] {
        guard part.pass.isLearnt else {
            return try logRatios(of: part.pass, by: model).map { logRatio in
                var row = Evaluation.Row()
                row.preference = PreferenceRow(mismatched: logRatio)
                return row
            }
        }
        let references = try reference.scores(of: part.pass, beside: model)
        let scores = try SequenceScores(part.pass, by: model)
        return part.pass.members.enumerated().map { sequence, member in
            var row = scores.row(of: sequence)
            let side = ScoredPair.Side(
                logProbability: scores.logProbabilities[sequence], reference: references[sequence],
                tokens: scores.tokens[sequence])
            row.preference =
                member.role == .chosen ? PreferenceRow(chosen: side) : PreferenceRow(rejected: side)
            return row
        }
    }

    package func summary(_ rows: [Evaluation.Row]) -> Evaluation.Summary? {
        let divergence = Self.divergence(rows.compactMap { $0.preference?.mismatched })
        var tallies = Tallies()
        var total = 0.0
        for row in rows {
            for (side, isDesirable) in [(row.preference?.chosen, true), (row.preference?.rejected, false)] {
                guard let side else { continue }
                total += loss(side, isDesirable: isDesirable, divergence: divergence).value
                tally(side, isDesirable: isDesirable, &tallies)
            }
        }
        tallies.add(divergence, to: .divergence)
        return Evaluation.Summary(
            loss: rows.isEmpty ? .nan : total / Double(rows.count), metrics: metrics(tallies) ?? ObjectiveMetrics())
    }
}
