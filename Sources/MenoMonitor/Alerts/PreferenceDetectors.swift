internal import MenoMetrics

/// What goes wrong when preferences are learnt.
struct PreferenceDetectors: Sendable, Hashable, Codable {
    private var margins = RollingWindow(10)
    private var accuracies = RollingWindow(60)
    private var explosion = Episode()
    private var chance = Episode()
    private var fall = Episode()
    /// The highest log-probability of the held-out chosen completions, and where it was measured.
    private var best: Point?

    private static let marginSteps = 10
    /// Steps of the window that the accuracy is judged over, at least.
    private static let leastAccuracySteps = 20

    init() {}

    mutating func observe(_ metrics: StepMetrics, totalSteps: Int, thresholds: AlertThresholds) -> [AlertChange] {
        guard let objective = metrics.objective else { return [] }
        let changes = [
            objective[.rewardMargins].flatMap { observe(margin: $0, step: metrics.step, thresholds) },
            objective[.rewardAccuracies].flatMap {
                observe(accuracy: $0, step: metrics.step, totalSteps: totalSteps, thresholds)
            },
        ]
        return changes.compactMap { $0 }
    }

    private mutating func observe(margin: Double, step: Int, _ thresholds: AlertThresholds) -> AlertChange? {
        guard margin.isMeasured else { return nil }
        margins.append(margin, step: step, capacity: Self.marginSteps)
        guard margins.count >= Self.marginSteps, let median = RobustStatistics.median(margins.values) else {
            return nil
        }
        let bound = thresholds.maxRewardMargin
        let verdict = Verdict(trouble: median > bound, fine: median < 0.9 * bound)
        return explosion.observe(
            verdict, step: step, raiseAfter: 1, clearAfter: Self.marginSteps,
            onset: margins.points.first { $0.value > bound }?.step
        ) { start in
            Alert(
                kind: .rewardMarginsExplode, severity: .warning, startStep: start, detectedStep: step,
                message: "The median reward margin of the last \(Self.marginSteps) steps is \(format(median)), above "
                    + "\(format(bound)): the model has memorised the pairs.",
                advice:
                    "Use an earlier checkpoint. Train for fewer epochs, with a lower learning rate or a higher beta, or "
                    + "use loss_type ipo, which aims for a fixed margin.",
                values: ["median": median, "bound": bound])
        }
    }

    private mutating func observe(
        accuracy: Double, step: Int, totalSteps: Int, _ thresholds: AlertThresholds
    ) -> AlertChange? {
        guard accuracy.isMeasured else { return nil }
        accuracies.append(accuracy, step: step)
        // Early in a run nothing is learnt yet.
        guard totalSteps > 0, step >= totalSteps / 2, accuracies.count >= Self.leastAccuracySteps,
            let mean = Moments.mean(accuracies.values)
        else { return nil }
        let bound = thresholds.minPreferenceAccuracy
        let verdict = Verdict(trouble: mean < bound, fine: mean >= bound)
        return chance.observe(verdict, step: step, raiseAfter: 5, clearAfter: 5, onset: accuracies.points.first?.step) {
            start in
            Alert(
                kind: .preferencesAtChance, severity: .warning, startStep: start, detectedStep: step,
                message: "Half of the run is done, and the chosen completion has the higher reward in only "
                    + "\(format(100 * mean)) % of the pairs in the last \(accuracies.count) steps; chance is 50 %.",
                advice:
                    "Raise the learning rate, or check the pairs: if nobody could tell which side was chosen, or if sides "
                    + "are swapped, there is nothing to learn.",
                values: ["share": mean, "bound": bound])
        }
    }

    mutating func observe(_ metrics: EvaluationMetrics, thresholds: AlertThresholds) -> AlertChange? {
        guard let value = metrics.objective?[.logpsChosen], value.isMeasured else { return nil }
        guard let best, value < best.value else {
            best = Point(step: metrics.step, value: value)
            return fall.observe(.fine, step: metrics.step, raiseAfter: 1, clearAfter: 1) { _ in
                preconditionFailure("an episode is not opened by a verdict that all is well")
            }
        }
        let share = (best.value - value) / max(abs(best.value), 1e-9)
        let bound = thresholds.chosenLogProbabilityFall
        let verdict = Verdict(trouble: share > bound, fine: share < 0.5 * bound)
        return fall.observe(verdict, step: metrics.step, raiseAfter: 2, clearAfter: 1, onset: best.step) { start in
            Alert(
                kind: .chosenLogProbabilityFalls, severity: .warning, startStep: start, detectedStep: metrics.step,
                message: "The held-out chosen completions have a mean log-probability of \(format(value)) nats, after "
                    + "\(format(best.value)) at step \(best.step): the model is learning to avoid both sides.",
                advice:
                    "Add the likelihood of the chosen side (loss_type [sigmoid, sft]), lower the learning rate, or raise "
                    + "beta.",
                values: ["level": value, "best_level": best.value, "best_step": Double(best.step), "fall_share": share])
        }
    }
}
