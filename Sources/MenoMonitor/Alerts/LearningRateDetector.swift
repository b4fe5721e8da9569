internal import MenoMetrics

/// Notices a learning rate that is effectively zero while a good part of the run remains.
struct LearningRateDetector: Sendable, Hashable, Codable {
    private var peak = 0.0
    private var zeroSince: Int?
    private var episode = Episode()

    init() {}

    mutating func observe(_ rate: Double, step: Int, totalSteps: Int, thresholds: AlertThresholds) -> AlertChange? {
        peak = max(peak, rate)
        let remaining = totalSteps - step
        // A rate of exactly zero is none, also before there was another.
        let isZero = rate <= thresholds.zeroRateShare * peak || rate <= 1e-12
        let isEarly = Double(remaining) > thresholds.zeroRateRemaining * Double(totalSteps)
        let since = isZero ? zeroSince ?? step : nil
        zeroSince = since
        // Schedules with restarts pass through zero for a moment.
        let lasts = since.map { step - $0 >= totalSteps / 40 } ?? false
        let verdict = Verdict(trouble: isZero && isEarly && lasts, fine: !isZero)
        return episode.observe(verdict, step: step, raiseAfter: 3, clearAfter: 3, onset: since) { start in
            Alert(
                kind: .learningRateZero, severity: .warning, startStep: start, detectedStep: step,
                message: "The learning rate is \(format(rate)) (its peak was \(format(peak))) while \(remaining) of "
                    + "\(totalSteps) steps remain.",
                advice:
                    "These steps will change nothing. Check lr_scheduler_type, max_steps and the warm-up: the schedule "
                    + "should end when the run does.",
                values: ["learning_rate": rate, "peak": peak, "remaining_steps": Double(remaining)])
        }
    }
}
