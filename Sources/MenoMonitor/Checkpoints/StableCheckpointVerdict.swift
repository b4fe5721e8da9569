internal import Foundation

/// What was decided about a stable checkpoint after an evaluation, and why.
package struct StableCheckpointVerdict: Sendable, Hashable, Codable {
    /// One thing that the basic conditions ask for.
    package struct Condition: Sendable, Hashable, Codable {
        package enum Name: String, Sendable, Hashable, Codable {
            case stepsSinceLast, perplexity, evaluationLossDeviation, gradientNorm
        }

        package var name: Name
        package var isMet: Bool
        /// `nil` where it was not measured.
        package var value: Double?
        /// What is allowed, in words: `below 2.5`.
        package var allowed: String
    }

    package enum Outcome: String, Sendable, Hashable, Codable {
        /// The basic conditions are met.
        case saveStable
        /// Training and evaluation are in balance.
        case saveBalanced
        /// There are fewer evaluations than the window takes.
        case tooFewEvaluations
        case conditionsNotMet
        /// As many as may be kept are kept, and each has a lower evaluation loss.
        case worseThanKept
        /// So many saves failed one after another that no more are tried.
        case tooManyErrors

        package var saves: Bool { self == .saveStable || self == .saveBalanced }
    }

    package var step: Int
    package var outcome: Outcome
    /// Empty while there are too few evaluations.
    package var conditions: [Condition]
    package var stability: StabilityMetrics?
    /// `nil` while there are too few losses to judge the balance by.
    package var balance: BalancedState?

    /// One line that says what was decided and by which numbers.
    package var explanation: String {
        let verb = outcome.saves ? "saving a stable checkpoint" : "no stable checkpoint"
        let reason =
            switch outcome {
            case .saveStable: "the run is stable (\(conditionTexts(where: { _ in true })))"
            case .saveBalanced: "training and evaluation are in balance (\(balanceText))"
            case .tooFewEvaluations: "there are too few evaluations so far"
            case .conditionsNotMet: conditionTexts(where: { !$0.isMet })
            case .worseThanKept: "every stable checkpoint that is kept has a lower evaluation loss"
            case .tooManyErrors: "too many saves in a row have failed"
            }
        return "\(verb) after step \(step): \(reason)"
    }

    private func conditionTexts(where isIncluded: (Condition) -> Bool) -> String {
        conditions.filter(isIncluded).map { condition in
            let value = condition.value.map { format($0) } ?? "not measured"
            let subject =
                switch condition.name {
                case .stepsSinceLast: "steps since the last"
                case .perplexity: "mean perplexity"
                case .evaluationLossDeviation: "standard deviation of the evaluation loss"
                case .gradientNorm: "mean gradient norm"
                }
            return "\(subject) \(value), allowed \(condition.allowed)"
        }.joined(separator: "; ")
    }

    private var balanceText: String {
        guard let metrics = balance?.metrics else { return "not measured" }
        return "gap \(format(metrics.lossGap)), total variance \(format(metrics.totalVariance)), variance ratio "
            + format(metrics.varianceRatio)
    }
}

/// A number for people: four significant digits.
func format(_ value: Double) -> String { String(format: "%.4g", value) }
