package import MenoData
package import MenoMetrics
package import MenoModels
package import MenoTensor

/// What a run minimizes: which sequences its examples are, what a pass of them costs, and what its losses are divided by.
///
/// The model gives the loss of each target (``MenoModels/TokenLosses``); an objective combines them. Optimizer steps,
/// evaluations and the memory probe call the objective and know nothing else of losses.
package protocol Objective {
    /// Which sequences the examples of a step are. The last is of those that are learnt; those before it are only looked at.
    var arrangements: [PassArrangement] { get }

    /// What a pass adds to the divisor of a step's loss: labels, for a loss that is a mean over tokens; pairs, for one that is
    /// a mean over pairs. A step's loss is Σ ``PassLoss/value`` / Σ weight over all of its passes, so how a step is divided
    /// into passes changes nothing but rounding.
    func weight(of pass: Pass) -> Int

    /// What the loss of each pass of a step depends on, where that is of the whole step.
    /// - Parameter passes: all of the step.
    func totals(of passes: [Pass], by model: Decoder) throws -> StepTotals

    /// What a pass costs, to be minimized.
    /// - Throws: `TorchError`, or `ModelError` for a token that the model does not have.
    func loss(of pass: Pass, in step: StepTotals, by model: Decoder) throws -> PassLoss

    /// What an objective measured in a step beside its loss.
    /// - Parameter tallies: of all of its passes.
    func metrics(_ tallies: Tallies) -> ObjectiveMetrics?

    /// What a pass costs in an evaluation, without gradients and without what regularizes training.
    /// - Parameter examples: all that are evaluated; ``PassPlan/Part/examples`` are positions among them.
    /// - Returns: a row for each example of the pass.
    func evaluate(_ part: PassPlan.Part, of examples: [Example], by model: Decoder) throws -> [Evaluation.Row]

    /// What the rows of all examples come to, where that is not the mean negative log-likelihood of their labels.
    func summary(_ rows: [Evaluation.Row]) -> Evaluation.Summary?
}

extension Objective {
    package var arrangements: [PassArrangement] { [.examples] }

    package func totals(of passes: [Pass], by model: Decoder) throws -> StepTotals {
        StepTotals(weight: passes.reduce(0) { $0 + weight(of: $1) })
    }

    package func metrics(_ tallies: Tallies) -> ObjectiveMetrics? { nil }

    package func summary(_ rows: [Evaluation.Row]) -> Evaluation.Summary? { nil }
}

/// What is known of a step as a whole.
package struct StepTotals: Sendable {
    /// Σ ``Objective/weight(of:)`` over its passes.
    package var weight: Int
    /// Tokens over which a mean is taken beside the one over ``weight``.
    package var tokens: Int
    /// KTO's estimate of the divergence from the reference, in nats.
    package var divergence: Double

    package init(weight: Int, tokens: Int = 0, divergence: Double = 0) {
        self.weight = weight
        self.tokens = tokens
        self.divergence = divergence
    }
}

/// What a pass costs.
package struct PassLoss {
    /// Σ over what ``Objective/weight(of:)`` counts, a scalar in float32 that can be differentiated; `nil` where nothing in the
    /// pass carries loss.
    package let sum: Tensor?
    /// The same number, added up in float64.
    package let value: Double
    /// What was measured beside it.
    package let tallies: Tallies

    package init(sum: Tensor?, value: Double, tallies: Tallies = Tallies()) {
        self.sum = sum
        self.value = value
        self.tallies = tallies
    }
}

/// Sums of what is measured of sequences or pairs, and over how many.
package struct Tallies: Sendable {
    private var sums: [ObjectiveMetric: (value: Double, count: Double)] = [:]

    package init() {}

    package mutating func add(_ value: Double, to metric: ObjectiveMetric, count: Double = 1) {
        let sum = sums[metric] ?? (0, 0)
        sums[metric] = (sum.value + value, sum.count + count)
    }

    package mutating func add(_ other: Tallies) {
        for (metric, sum) in other.sums { add(sum.value, to: metric, count: sum.count) }
    }

    /// As numbers that another process reads: value and count of every metric.
    package var numbers: [Double] {
        ObjectiveMetric.allCases.flatMap { metric in sums[metric].map { [$0.value, $0.count, 1] } ?? [0, 0, 0] }
    }

    package static let numberCount = 3 * ObjectiveMetric.allCases.count

    /// Reads ``numbers``.
    package init(numbers: some Collection<Double>) {
        let numbers = Array(numbers)
        for (index, metric) in ObjectiveMetric.allCases.enumerated() where numbers[3 * index + 2] == 1 {
            sums[metric] = (numbers[3 * index], numbers[3 * index + 1])
        }
    }

    /// The mean of each that was measured.
    package var means: [ObjectiveMetric: Double] {
        sums.filter { $0.value.count > 0 }.mapValues { $0.value / $0.count }
    }
}
