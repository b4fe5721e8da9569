internal import MenoMetrics

/// Notices that the loss does not fall any more while the learning rate is still high.
///
/// The fall over the last quarter of the run is estimated by least squares, once from the training losses (averaged into
/// at most some fifty points a quarter) and once from the evaluation losses, which have no batch noise. It is a plateau
/// when one of them is confident that the fall is below the threshold and neither is confident of a fall; it ends when one
/// is all but certain of a fall and neither is flat.
struct PlateauDetector: Sendable, Hashable, Codable {
    private var training = RollingWindow(60)
    private var evaluation = RollingWindow(60)
    private var bucketEnd: Int?
    private var bucketSum = 0.0
    private var bucketCount = 0
    private var peakRate = 0.0
    private var rate: Double?
    private var episode = Episode()

    private static let pointsOfWindow = 50
    private static let leastTrainingPoints = 20
    private static let leastEvaluations = 4
    /// The window where the length of the run is not known, in steps.
    private static let usualWindow = 1000
    /// Below this loss, in nats, there is nothing left to fall.
    private static let leastLoss = 0.05

    init() {}

    /// - Parameter isJudged: `false` while another trouble explains that the loss does not fall.
    mutating func observe(_ metrics: StepMetrics, totalSteps: Int, isJudged: Bool, thresholds: AlertThresholds)
        -> AlertChange?
    {
        observe(rate: metrics.learningRate)
        let window = Self.window(totalSteps)
        let end = bucketEnd ?? metrics.step - 1
        bucketEnd = end
        bucketSum += metrics.loss
        bucketCount += 1
        guard metrics.step - end >= max(1, window / Self.pointsOfWindow) else { return nil }
        training.append(bucketSum / Double(bucketCount), step: metrics.step)
        (bucketEnd, bucketSum, bucketCount) = (metrics.step, 0, 0)
        return judge(step: metrics.step, window: window, isJudged: isJudged, thresholds)
    }

    mutating func observe(_ metrics: EvaluationMetrics, totalSteps: Int, isJudged: Bool, thresholds: AlertThresholds)
        -> AlertChange?
    {
        evaluation.append(metrics.loss, step: metrics.step)
        return judge(step: metrics.step, window: Self.window(totalSteps), isJudged: isJudged, thresholds)
    }

    private static func window(_ totalSteps: Int) -> Int { totalSteps > 0 ? max(1, totalSteps / 4) : usualWindow }

    private mutating func observe(rate newRate: Double) {
        guard newRate.isMeasured else { return }
        // Nothing is expected of the loss while the rate rises: the warm-up, or a restart of the schedule.
        if let rate, newRate > rate * 1.000_001 {
            training.removeAll()
            evaluation.removeAll()
            (bucketEnd, bucketSum, bucketCount) = (nil, 0, 0)
        }
        rate = newRate
        peakRate = max(peakRate, newRate)
    }

    private mutating func judge(step: Int, window: Int, isJudged: Bool, _ thresholds: AlertThresholds) -> AlertChange? {
        let isRateHigh = rate.map { $0 >= thresholds.plateauMinRateShare * peakRate && peakRate > 0 } ?? true
        let recent = Self.recent(training, step: step, window: window, least: Self.leastTrainingPoints)
        let recentEvaluations = Self.recent(evaluation, step: step, window: window, least: Self.leastEvaluations)
        guard let recent, let level = Moments.mean(recent.map(\.value)) else { return nil }
        let falls = [recent, recentEvaluations].compactMap { $0 }.compactMap { points in
            LinearFit(points).map { Fall($0, thresholds) }
        }
        let isFlat = falls.contains(where: \.isFlat)
        let verdict = Verdict(
            trouble: isFlat && !falls.contains(where: \.isFalling) && level >= Self.leastLoss && isRateHigh && isJudged,
            fine: falls.contains(where: \.isSurelyFalling) && !isFlat)
        let flattest = falls.first(where: \.isFlat)
        // The window is where it is flat; the trouble began at its beginning.
        return episode.observe(verdict, step: step, raiseAfter: 3, clearAfter: 3, onset: recent.first?.step) { start in
            Alert(
                kind: .lossPlateau, severity: .warning, startStep: start, detectedStep: step,
                message: "The loss has stopped falling: since step \(start) it has been at \(format(level)), and with "
                    + "\(format(100 * thresholds.confidence)) % confidence it falls by less than "
                    + "\(format(100 * max(0, flattest?.upperShare ?? 0))) % over the window.",
                advice:
                    "Raise the learning rate, check that the labels match the inputs and that the adapters reach the "
                    + "layers that matter; or stop here, because more steps at this rate gain nothing.",
                values: [
                    "loss": level, "fall_share": flattest?.share ?? .nan,
                    "fall_share_upper": flattest?.upperShare ?? .nan,
                ])
        }
    }

    /// The points of the window; more, where they are too few; `nil` where there are not so many.
    private static func recent(_ series: RollingWindow, step: Int, window: Int, least: Int) -> ArraySlice<Point>? {
        guard series.count >= least else { return nil }
        let inside = series.points.reversed().prefix { step - $0.step < window }.count
        return series.points.suffix(max(inside, least))
    }

    /// How much a series falls over its span, as shares of its mean.
    private struct Fall {
        let share: Double
        let upperShare: Double
        let isFlat: Bool
        let isFalling: Bool
        let isSurelyFalling: Bool

        init(_ fit: LinearFit, _ thresholds: AlertThresholds) {
            let change = fit.change(confidence: thresholds.confidence)
            let level = max(abs(fit.mean), 1e-9)
            share = -change.estimate / level
            upperShare = -change.lower / level
            isFlat = upperShare < thresholds.plateauMinFall
            isFalling = change.upper < 0 && share >= thresholds.plateauMinFall
            // A plateau is looked at many times, and by chance its noise falls in some of them.
            let confidence = 1 - (1 - thresholds.confidence) / 50
            isSurelyFalling = isFalling && fit.change(confidence: confidence).upper < 0
        }
    }
}
