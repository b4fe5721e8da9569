internal import MenoMetrics

/// Notices gradients that are too large or too small for long.
struct GradientNormDetector: Sendable, Hashable, Codable {
    private var norms = RollingWindow(10)
    private var episode = Episode()

    init() {}

    mutating func observe(_ norm: Double, step: Int, configuration: MonitorConfiguration) -> AlertChange? {
        let window = configuration.alerts.gradientNormWindow
        norms.append(norm, step: step, capacity: window)
        guard norms.count >= window, let median = RobustStatistics.median(norms.values) else { return nil }
        let bounds = configuration.gradientNormBounds
        let isInside = bounds.contains(median)
        let onset = norms.points.first { !bounds.contains($0.value) }?.step
        // A norm that wanders about a bound is one trouble, not many: it ends with a window that is a tenth inside.
        let (low, high) = (bounds.lowerBound * 1.1, bounds.upperBound * 0.9)
        let verdict = Verdict(trouble: !isInside, fine: isInside && (low > high || (low...high).contains(median)))
        return episode.observe(verdict, step: step, raiseAfter: 5, clearAfter: window, onset: onset) { start in
            let isLarge = median > bounds.upperBound
            return Alert(
                kind: .gradientNormOutOfBounds, severity: .warning, startStep: start, detectedStep: step,
                message: "The median gradient norm of the last \(window) steps is \(format(median)), "
                    + (isLarge ? "above \(bounds.upperBound)." : "below \(bounds.lowerBound)."),
                advice: isLarge
                    ? "If the loss falls anyway, widen the monitor's bounds for the gradient norm: small models have large gradients. "
                        + "If not, lower the learning rate."
                    : "Little is being learnt. Check that parameters are trained and that labels count in the loss; or the model has "
                        + "already learnt what it can.",
                values: [
                    "grad_norm_median": median, "lower_bound": bounds.lowerBound, "upper_bound": bounds.upperBound,
                ])
        }
    }
}
