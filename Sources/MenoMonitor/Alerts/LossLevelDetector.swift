internal import MenoMetrics

/// Notices single losses far above their neighbours, and a level of the loss well above the best it had.
///
/// A spike: z = (loss − median of the last 10 ordinary losses) / σ above the threshold, with σ = 1.4826 · MAD of the
/// differences of neighbours / √2 over 50 ordinary losses (Iglewicz & Hoaglin's robust z-score; differences, so that a
/// trend is no spread). It begins at once and ends after five losses with z below half the threshold.
///
/// A divergence: the median of 10 steps exceeds the lowest such median (or the first loss) by the threshold in σ, three
/// steps in a row; it ends when the median has come back by half of that for ten steps.
struct LossLevelDetector: Sendable, Hashable, Codable {
    /// Losses that noise and neighbourhood are judged by; spikes are not among them.
    private var ordinary = RollingWindow(50)
    private var latest = RollingWindow(10)
    private var first: Double?
    private var bestLevel: Double?
    private var spike = Episode()
    private var divergence = Episode()
    private var outliersInARow = 0

    private static let leastBaseline = 20

    init() {}

    var hasDiverged: Bool { divergence.isOpen }

    mutating func observe(_ loss: Double, step: Int, thresholds: AlertThresholds) -> [AlertChange] {
        if first == nil { first = loss }
        latest.append(loss, step: step)
        let noise = RobustStatistics.noise(ordinary.values)
        var changes = observeSpike(loss, step: step, noise: noise, thresholds)
        if let change = observeDivergence(step: step, noise: noise ?? 0, thresholds) {
            // What looked like a spike has turned out to be the beginning of this.
            if case .began = change, let ended = spike.close(at: step) { changes.append(ended) }
            changes.append(change)
        }
        return changes
    }

    private mutating func observeSpike(_ loss: Double, step: Int, noise: Double?, _ thresholds: AlertThresholds)
        -> [AlertChange]
    {
        guard ordinary.count >= Self.leastBaseline,
            let noise, let center = RobustStatistics.median(ordinary.values.suffix(10))
        else {
            ordinary.append(loss, step: step)
            return []
        }
        // Series without noise would make every wiggle a spike.
        let scale = max(noise, 0.02 * abs(center), 0.01)
        let z = (loss - center) / scale
        let isOutlier = z > thresholds.spikeZScore
        outliersInARow = isOutlier ? outliersInARow + 1 : 0
        if !isOutlier { ordinary.append(loss, step: step) }
        if outliersInARow >= latest.capacity {
            // This is no spike but the level now.
            ordinary = RollingWindow(50, points: latest.points)
            outliersInARow = 0
        }
        // A spike inside a divergence tells nothing new.
        guard !divergence.isOpen || spike.isOpen else { return [] }
        let verdict = Verdict(trouble: isOutlier, fine: z < thresholds.spikeZScore / 2)
        let change = spike.observe(verdict, step: step, raiseAfter: 1, clearAfter: 5) { start in
            Alert(
                kind: .lossSpike, severity: .warning, startStep: start, detectedStep: step,
                message:
                    "The loss of step \(step) is \(format(loss)), \(format(z)) robust standard deviations above its "
                    + "neighbours' median of \(format(center)).",
                advice:
                    "A single spike is harmless if the loss recovers. If spikes recur, lower the learning rate or "
                    + "max_grad_norm, or check the records of the step.",
                values: ["loss": loss, "median": center, "z_score": z])
        }
        return change.map { [$0] } ?? []
    }

    private mutating func observeDivergence(step: Int, noise: Double, _ thresholds: AlertThresholds) -> AlertChange? {
        guard latest.isFull, let first, let level = RobustStatistics.median(latest.values) else { return nil }
        let best = min(bestLevel ?? level, level)
        bestLevel = best
        let reference = min(best, first)
        // Noise raises the bound, but never above twice the best level; losses near zero may double freely.
        let rise = max(min(max(thresholds.divergenceZScore * noise, 0.1 * abs(reference)), abs(reference)), 0.05)
        let verdict = Verdict(trouble: level > reference + rise, fine: level < reference + rise / 2)
        let onset = latest.points.first { $0.value > reference + rise }?.step
        return divergence.observe(verdict, step: step, raiseAfter: 3, clearAfter: 10, onset: onset) { start in
            Alert(
                kind: .lossDivergence, severity: .critical, startStep: start, detectedStep: step,
                message:
                    "The loss is diverging: the median of the last \(latest.capacity) steps is \(format(level)), after "
                    + "\(format(reference)) at its best.",
                advice: "Stop, and resume from an earlier checkpoint with a learning rate of a third or less, a longer "
                    + "warm-up or a smaller max_grad_norm.",
                values: ["level": level, "best_level": reference, "bound": reference + rise])
        }
    }
}
