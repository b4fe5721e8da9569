internal import MenoMetrics

/// Notices that steps have become much slower than they were.
struct ThroughputDetector: Sendable, Hashable, Codable {
    private var latest = RollingWindow(10)
    private var best: Double?
    private var episode = Episode()

    init() {}

    /// A new process has its own speed.
    mutating func startProcess() {
        latest.removeAll()
        best = nil
    }

    mutating func observe(_ tokensPerSecond: Double, step: Int, thresholds: AlertThresholds) -> AlertChange? {
        latest.append(tokensPerSecond, step: step)
        guard latest.isFull, let level = RobustStatistics.median(latest.values) else { return nil }
        let best = max(best ?? level, level)
        self.best = best
        let bound = thresholds.throughputShare * best
        // Between the bound and halfway up to the best nothing is decided.
        let verdict = Verdict(trouble: level < bound, fine: level > bound + (best - bound) * 0.4)
        let onset = latest.points.first { $0.value < bound }?.step
        return episode.observe(verdict, step: step, raiseAfter: 3, clearAfter: 3, onset: onset) { start in
            Alert(
                kind: .throughputCollapse, severity: .warning, startStep: start, detectedStep: step,
                message: "Training has slowed to \(format(level)) tokens/s, from \(format(best)) at its best.",
                advice: "Check for other programs on the machine, swapping, an overheating processor or slow storage.",
                values: ["tokens_per_second": level, "best_tokens_per_second": best])
        }
    }
}
