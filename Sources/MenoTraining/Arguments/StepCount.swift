/// A number of optimizer steps, or a share of all steps; like transformers, it is read from a single number.
public enum StepCount: Sendable, Hashable, ExpressibleByIntegerLiteral {
    case steps(Int)
    /// A share of all steps, above 0 and below 1.
    case share(Double)

    /// A number of steps.
    public init(integerLiteral steps: Int) { self = .steps(steps) }

    /// The number of steps in a run of `total` steps; a share is rounded up. Source: transformers'
    /// `TrainerState.compute_steps` and `TrainingArguments.get_warmup_steps`.
    public func steps(of total: Int) -> Int {
        switch self {
        case .steps(let steps): steps
        case .share(let share): Int((Double(total) * share).rounded(.up))
        }
    }

    /// Whether it is a number from `least` to `most`, or a share.
    func isValid(from least: Int, to most: Int) -> Bool {
        switch self {
        case .steps(let steps): steps >= least && steps <= most
        case .share(let share): share > 0 && share < 1
        }
    }
}
