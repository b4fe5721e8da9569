internal import Foundation

/// The learning rate over the course of a run, defined as in transformers.
public struct LearningRateSchedule: Sendable, Hashable {
    /// The shape of the schedule.
    public enum Course: String, Sendable, Hashable, CaseIterable {
        /// Decreases linearly to 0.
        case linear
        /// Decreases to 0 along half a cosine, unless ``Options/cycles`` is set (Loshchilov and Hutter, 2016,
        /// arXiv:1608.03983).
        case cosine
        /// Decreases to 0 along half a cosine several times, restarting from the peak.
        case cosineWithRestarts = "cosine_with_restarts"
        /// The peak from the first step on, without a warm-up.
        case constant
        case constantWithWarmup = "constant_with_warmup"
        /// Decreases polynomially to ``Options/endRate``.
        case polynomial
        /// Decreases with 1 / √step, as if the warm-up had been its first part.
        case inverseSquareRoot = "inverse_sqrt"
        /// Stays at the peak and decreases over the last ``Options/decaySteps`` steps.
        case warmupStableDecay = "warmup_stable_decay"
    }

    /// Options of individual schedules, with the names and defaults of transformers' `lr_scheduler_kwargs`.
    public struct Options: Sendable, Hashable {
        /// The shape of the decay.
        public enum DecayShape: String, Sendable, Hashable, CaseIterable {
            case linear, cosine
            /// 1 − √progress.
            case squareRoot = "1-sqrt"
        }

        /// `num_cycles`: the number of decays in `cosine_with_restarts` (a whole number), or of waves in `cosine`.
        /// `nil`: 1 decay, or half a wave.
        public var cycles: Double?
        /// `power` of `polynomial`. Default 1.
        public var power = 1.0
        /// `lr_end` of `polynomial`. Default 1e-7.
        public var endRate = 1e-7
        /// `timescale` of `inverse_sqrt`: the step at which the rate, apart from the shift, is the peak. `nil`: the
        /// length of the warm-up, or 10,000 without one.
        public var timescale: Int?
        /// `num_decay_steps` of `warmup_stable_decay`. `nil`: a tenth of the run, rounded up.
        public var decaySteps: Int?
        /// `min_lr_ratio` of `warmup_stable_decay`: the lowest rate, as a share of the peak. Default 0.
        public var minimumRatio = 0.0
        /// `decay_type` of `warmup_stable_decay`. Default cosine.
        public var decayShape = DecayShape.cosine

        /// The defaults.
        public init() {}
    }

    /// The peak learning rate.
    package var peak: Double
    package var course: Course
    package var options: Options
    /// Steps over which the rate rises linearly from 0.
    package var warmupSteps: Int
    /// The total number of steps.
    package var totalSteps: Int

    package init(peak: Double, course: Course, options: Options = Options(), warmupSteps: Int, totalSteps: Int) {
        precondition(warmupSteps >= 0 && totalSteps >= 0)
        self.peak = peak
        self.course = course
        self.options = options
        self.warmupSteps = warmupSteps
        self.totalSteps = totalSteps
    }

    /// The learning rate of an optimizer step. The first one is step 0, whose rate is 0 if there is a warm-up.
    package func rate(atStep step: Int) -> Double {
        if course == .constant { return peak }
        if course == .warmupStableDecay { return peak * stableFactor(step) }
        if step < warmupSteps { return peak * Double(step) / Double(warmupSteps) }
        let progress = Double(step - warmupSteps) / Double(max(1, totalSteps - warmupSteps))
        switch course {
        case .constant, .constantWithWarmup, .warmupStableDecay: return peak
        case .linear: return peak * max(0, 1 - progress)
        case .cosine: return peak * max(0, 0.5 * (1 + cos(.pi * (options.cycles ?? 0.5) * 2 * progress)))
        case .cosineWithRestarts:
            let within = ((options.cycles ?? 1) * progress).truncatingRemainder(dividingBy: 1)
            return progress >= 1 ? 0 : peak * max(0, 0.5 * (1 + cos(.pi * within)))
        case .polynomial:
            guard step <= totalSteps else { return options.endRate }
            return (peak - options.endRate) * pow(1 - progress, options.power) + options.endRate
        case .inverseSquareRoot:
            let timescale = options.timescale ?? (warmupSteps > 0 ? warmupSteps : 10_000)
            return peak / (Double(step + timescale - warmupSteps) / Double(timescale)).squareRoot()
        }
    }

    /// Warm-up, plateau and decay, as a share of the peak (Hu et al., 2024, arXiv:2404.06395).
    private func stableFactor(_ step: Int) -> Double {
        let scaled = { (factor: Double) in
            max(0, factor * (1 - options.minimumRatio) + options.minimumRatio)
        }
        if step < warmupSteps { return scaled(Double(step) / Double(warmupSteps)) }
        let decay = options.decaySteps ?? Int((Double(totalSteps) * 0.1).rounded(.up))
        let decayStart = max(warmupSteps, totalSteps - decay)
        if step < decayStart { return 1 }
        guard step < decayStart + decay else { return options.minimumRatio }
        let progress = Double(step - decayStart) / Double(max(1, decay))
        return switch options.decayShape {
        case .linear: scaled(1 - progress)
        case .cosine: scaled(0.5 * (1 + cos(.pi * progress)))
        case .squareRoot: scaled(1 - progress.squareRoot())
        }
    }
}
