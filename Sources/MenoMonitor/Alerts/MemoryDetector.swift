internal import MenoMetrics

/// Notices memory that grows on and on: a leak.
///
/// A jump followed by a level is none, so the later half of the readings must grow by itself.
struct MemoryDetector: Sendable, Hashable, Codable {
    private var readings = RollingWindow(40)
    private var episode = Episode()
    /// `nil` is the process itself.
    private let accelerator: Int?

    private static let leastReadings = 8

    init(accelerator: Int?) { self.accelerator = accelerator }

    mutating func startProcess() { readings.removeAll() }

    mutating func observe(bytes: Int, step: Int, totalSteps: Int, thresholds: AlertThresholds) -> AlertChange? {
        // Readings may come with every step; a window of a few steps would not show a slow leak.
        if let last = readings.points.last, step - last.step < totalSteps / 100 { return nil }
        readings.append(Double(bytes) / 1_048_576, step: step)
        guard readings.count >= Self.leastReadings, let level = readings.points.last?.value,
            let whole = LinearFit(readings.points),
            let later = LinearFit(readings.points.suffix(max(4, readings.count / 2)))
        else { return nil }
        let change = later.change(confidence: thresholds.confidence)
        let growth = whole.change(confidence: thresholds.confidence)
        let bound = max(thresholds.memoryGrowthShare * abs(later.mean), thresholds.memoryGrowthMiB)
        let verdict = Verdict(
            trouble: growth.lower > 0 && change.lower > 0 && change.estimate >= bound,
            fine: change.lower <= 0 || change.estimate < bound / 4)
        return episode.observe(
            verdict, step: step, raiseAfter: 2, clearAfter: 2, onset: readings.points.first?.step
        ) { start in
            let perHundred = later.slope * 100
            let remaining = Double(max(0, totalSteps - step)) * later.slope
            let subject = accelerator.map { "of accelerator \($0) " } ?? ""
            return Alert(
                kind: .memoryGrowth, severity: .warning, startStep: start, detectedStep: step,
                message: "Memory \(subject)grows by \(format(perHundred)) MiB every 100 steps and is at "
                    + "\(format(level)) MiB."
                    + (totalSteps > step ? " At this pace the run ends with \(format(level + remaining)) MiB." : ""),
                advice: "If that does not fit, lower memory_clear_interval or stop at a checkpoint and resume: a new "
                    + "process starts small. Please report a leak.",
                values: [
                    "memory_mib": level, "mib_per_step": later.slope, "mib_per_step_error": later.standardError,
                    "expected_mib": level + remaining, "accelerator": accelerator.map(Double.init) ?? .nan,
                ])
        }
    }
}
