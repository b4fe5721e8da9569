extension LearningRateSchedule {
    /// Why a run can learn nothing, or not what it was meant to.
    package enum Fault: Sendable, Hashable, CustomStringConvertible {
        /// The rate of each of so many steps is 0.
        case alwaysZero(steps: Int)
        /// The warm-up is as long as the run, or longer.
        case neverAtPeak(highest: Double, warmupSteps: Int, totalSteps: Int)

        package var description: String {
            switch self {
            case .alwaysZero(let steps):
                steps == 1
                    ? "the learning rate of the only remaining step is 0, so it would change nothing"
                    : "the learning rate is 0 in all \(steps) remaining steps, so they would change nothing"
            case .neverAtPeak(let highest, let warmupSteps, let totalSteps):
                "the warm-up takes \(warmupSteps) steps and the run has \(totalSteps): the learning rate never reaches its "
                    + "peak, and ends at \(highest)"
            }
        }
    }

    /// What is wrong with the rates from a step on, judged by the values themselves: each course has its own idea of a
    /// warm-up and a peak. A run without any step left has no fault.
    /// - Parameter start: steps done.
    package func fault(from start: Int = 0) -> Fault? {
        guard start < totalSteps else { return nil }
        if !(start..<totalSteps).contains(where: { rate(atStep: $0) != 0 }) {
            return .alwaysZero(steps: totalSteps - start)
        }
        // The first step after the warm-up has the peak, if any has.
        let candidates = [min(warmupSteps, totalSteps - 1), 0, totalSteps - 1]
        if !candidates.contains(where: { isPeak(rate(atStep: $0)) }) {
            return .neverAtPeak(
                highest: rate(atStep: totalSteps - 1), warmupSteps: warmupSteps, totalSteps: totalSteps)
        }
        return nil
    }

    /// Whether a rate is the peak, but for rounding.
    private func isPeak(_ rate: Double) -> Bool { abs(rate - peak) <= 1e-9 * abs(peak) }
}

extension TrainingArguments {
    /// - Parameters:
    ///   - stepsDone: of a run that is resumed.
    ///   - wasBegunSo: whether the run was begun with these rates: then it may go on, even if they never reach their peak.
    /// - Throws: ``TrainingError`` with `badArguments` where the steps left can change nothing, or where the learning rate never
    ///   reaches its peak.
    func checkLearningRates(totalSteps: Int, stepsDone: Int = 0, wasBegunSo: Bool = false) throws {
        guard let fault = learningRates(totalSteps: totalSteps).fault(from: stepsDone) else { return }
        if case .neverAtPeak = fault, wasBegunSo { return }
        let advice =
            learningRate == 0
            ? "Set a learning rate above 0." : "Warm up for fewer steps, or train for more."
        throw TrainingError(
            .badArguments, "\(fault).", advice: advice,
            settings: learningRate == 0 ? [.learningRate] : [.warmup, .maxSteps])
    }
}
