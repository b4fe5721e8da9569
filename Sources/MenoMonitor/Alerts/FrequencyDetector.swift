internal import MenoMetrics

/// Notices that the training loss comes no further down than to the labels' frequencies: what stands before a label tells
/// the model nothing of it.
///
/// A loss that is clearly below the entropy of the frequencies is proof that the context is used, because no model without
/// it gets there. So it is trouble when the mean of the last losses is confidently above the entropy less the threshold,
/// and it ends when the mean is confidently below by a third more.
struct FrequencyDetector: Sendable, Hashable, Codable {
    private var latest = RollingWindow(20)
    private var rate: Double?
    /// The first step since the loss was last below the bound.
    private var since: Int?
    private var episode = Episode()

    /// In a row. The window must have been replaced by a half before anything is said.
    private static let verdicts = 10
    /// The share of the run before which nothing is judged.
    private static let leastProgress = 0.1

    init() {}

    /// - Parameters:
    ///   - labelEntropy: of the labels that are trained on, in nats; `nil` where it is not known, and nothing is judged.
    ///   - isJudged: `false` while another trouble explains that the loss is high.
    mutating func observe(
        _ metrics: StepMetrics, totalSteps: Int, labelEntropy: Double?, isJudged: Bool, thresholds: AlertThresholds
    ) -> AlertChange? {
        guard let labelEntropy, thresholds.minContextGain > 0 else { return nil }
        since = since ?? metrics.step
        // Nothing is expected of the loss while the rate rises.
        if metrics.learningRate.isMeasured {
            if let rate, metrics.learningRate > rate * 1.000_001 { latest.removeAll() }
            rate = metrics.learningRate
        }
        latest.append(metrics.loss, step: metrics.step)
        guard latest.isFull, Double(metrics.step) >= Self.leastProgress * Double(totalSteps),
            let level = Moments.mean(latest.values), let deviation = Moments.standardDeviation(latest.values)
        else { return nil }
        let bound = labelEntropy * (1 - thresholds.minContextGain)
        let freedom = latest.count - 1
        let margin =
            LinearFit.studentQuantile(thresholds.confidence, degreesOfFreedom: freedom) * deviation
            / Double(freedom).squareRoot()
        // A loss that wanders about the bound is one trouble, not many.
        let verdict = Verdict(
            trouble: level - margin > bound && isJudged, fine: level + margin < bound - (labelEntropy - bound) / 3)
        let start = since
        if level < bound { since = nil }
        return episode.observe(
            verdict, step: metrics.step, raiseAfter: Self.verdicts, clearAfter: Self.verdicts, onset: start
        ) { start in
            Alert(
                kind: .noBetterThanFrequencies, severity: .warning, startStep: start, detectedStep: metrics.step,
                message:
                    "The training loss is \(format(level)). Predicting tokens by their frequency alone, without any context, gives "
                    + "\(format(labelEntropy)), so the model learns next to nothing "
                    + "from the context.",
                advice:
                    "Look at examples as the model sees them: are they complete, in order, "
                    + "and from this tokenizer? Records with shuffled words or labels cannot be learnt. A model that is "
                    + "trained from scratch passes through this phase.",
                values: ["loss": level, "label_entropy": labelEntropy, "bound": bound])
        }
    }
}
