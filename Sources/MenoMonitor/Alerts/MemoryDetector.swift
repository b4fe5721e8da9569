internal import MenoMetrics

/// Notices memory that grows on and on: a leak.
///
/// The readings, at most forty that lie at least a hundredth of the run apart, are split into five parts of equal length,
/// each with its median as level. A leak raises the level from each part to the next by much the same; a jump (the first
/// evaluation, the first checkpoint) does so once or twice, and caches that fill up do so less and less. So it is trouble
/// when the growth from the first part to the last reaches the threshold and each of the four rises is at least half of
/// their mean.
struct MemoryDetector: Sendable, Hashable, Codable {
    private var readings = RollingWindow(40)
    private var episode = Episode()
    /// `nil` is the process itself.
    private let accelerator: Int?

    private static let parts = 5
    private static let leastReadings = 2 * parts

    init(accelerator: Int?) { self.accelerator = accelerator }

    mutating func startProcess() { readings.removeAll() }

    mutating func observe(bytes: Int, step: Int, totalSteps: Int, thresholds: AlertThresholds) -> AlertChange? {
        if let last = readings.points.last, step - last.step < max(1, totalSteps / 100) { return nil }
        readings.append(Double(bytes) / 1_048_576, step: step)
        guard readings.count >= Self.leastReadings, let line = LinearFit(readings.points) else { return nil }
        let levels = self.levels
        let rises = zip(levels, levels.dropFirst()).map { $1 - $0 }
        let level = levels[Self.parts - 1]
        let growth = level - levels[0]
        let bound = max(thresholds.memoryGrowthShare * abs(level), thresholds.memoryGrowthMiB)
        let leastRise = growth / Double(rises.count) / 2
        let verdict = Verdict(
            trouble: growth >= bound && rises.allSatisfy { $0 >= leastRise },
            fine: rises[rises.count - 1] < bound / Double(rises.count) / 4)
        return episode.observe(
            verdict, step: step, raiseAfter: 2, clearAfter: 2, onset: readings.points.first?.step
        ) { start in
            let expected = level + Double(max(0, totalSteps - step)) * line.slope
            let subject = accelerator.map { "of accelerator \($0) " } ?? ""
            return Alert(
                kind: .memoryGrowth, severity: .warning, startStep: start, detectedStep: step,
                message: "Memory \(subject)grows by \(format(line.slope * 100)) MiB every 100 steps and is at "
                    + "\(format(level)) MiB."
                    + (totalSteps > step ? " At this rate the run will end with \(format(expected)) MiB." : ""),
                advice: "If that does not fit, lower memory_clear_interval or stop at a checkpoint and resume: a new "
                    + "process starts with little memory. Please report the leak.",
                values: [
                    "memory_mib": level, "mib_per_step": line.slope, "mib_per_step_error": line.standardError,
                    "expected_mib": expected, "accelerator": accelerator.map(Double.init) ?? .nan,
                ])
        }
    }

    private var levels: [Double] {
        let values = readings.values
        return (0..<Self.parts).compactMap { part in
            RobustStatistics.median(
                values[(part * values.count / Self.parts)..<((part + 1) * values.count / Self.parts)])
        }
    }
}
