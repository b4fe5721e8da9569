import MenoMetrics
import Testing

@testable import MenoMonitor

/// What goes wrong when preferences are learnt is told once, and a healthy run raises nothing.
@Suite struct PreferenceAlertTests {
    /// A run of 100 steps with an evaluation every ten.
    private func alerts(
        margin: (Double) -> Double = { 2 * $0 }, accuracy: (Double) -> Double = { 0.5 + 0.4 * $0 },
        chosen: (Double) -> Double = { -80 + 2 * $0 }
    ) throws -> [Alert] {
        var run = SyntheticRun(totalSteps: 100, evaluationInterval: 10, labelEntropy: nil)
        run.gradientNorm = { _ in 1 }
        var monitor = try Monitor()
        for event in run.events {
            var event = event
            if case .step(var metrics) = event {
                let progress = Double(metrics.step) / 100
                metrics.objective = ObjectiveMetrics([
                    .rewardMargins: margin(progress), .rewardAccuracies: accuracy(progress),
                ])
                event = .step(metrics)
            } else if case .evaluated(var metrics) = event {
                metrics.objective = ObjectiveMetrics([.logpsChosen: chosen(Double(metrics.step) / 100)])
                event = .evaluated(metrics)
            }
            _ = monitor.observe(event)
        }
        let kinds: Set<Alert.Kind> = [.rewardMarginsExplode, .chosenLogProbabilityFalls, .preferencesAtChance]
        return monitor.alerts.filter { kinds.contains($0.kind) }
    }

    @Test func aHealthyRunRaisesNothing() throws { #expect(try alerts().isEmpty) }

    @Test func eachTroubleIsToldOnce() throws {
        let exploding = try alerts(margin: { 40 * $0 })
        #expect(exploding.map(\.kind) == [.rewardMarginsExplode])
        #expect((26...40).contains(exploding[0].startStep))
        let chance = try alerts(accuracy: { _ in 0.5 })
        #expect(chance.map(\.kind) == [.preferencesAtChance])
        #expect((50...60).contains(chance[0].detectedStep))
        let falling = try alerts(chosen: { -80 - 40 * $0 })
        #expect(falling.map(\.kind) == [.chosenLogProbabilityFalls])
        #expect(falling[0].values["best_level"] == -84)
    }

    @Test func aTroubleThatEndsHasAnEnd() throws {
        let falling = try alerts(chosen: { $0 > 0.3 && $0 < 0.7 ? -100 : -80 })
        #expect(falling.map(\.kind) == [.chosenLogProbabilityFalls])
        #expect(falling[0].endStep == 70)
    }
}
