import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoMonitor

/// Alerts on constructed runs: each trouble once, with its beginning and its end, and nothing else.
struct AlertTests {
    private func began(_ decisions: [MonitorDecision]) -> [Alert] {
        decisions.compactMap { if case .alertBegan(let alert) = $0 { alert } else { nil } }
    }

    private func ended(_ decisions: [MonitorDecision]) -> [Alert] {
        decisions.compactMap { if case .alertEnded(let alert) = $0 { alert } else { nil } }
    }

    /// Expects exactly one alert, and says which.
    private func onlyAlert(
        _ kind: Alert.Kind, of run: SyntheticRun, _ configuration: MonitorConfiguration = MonitorConfiguration(),
        location: SourceLocation = #_sourceLocation
    ) throws -> Alert {
        let (monitor, decisions) = try run.monitored(configuration)
        let alerts = began(decisions)
        #expect(alerts.map(\.kind) == [kind], "\(alerts.map(\.message))", sourceLocation: location)
        let alert = try #require(monitor.alerts.first { $0.kind == kind }, sourceLocation: location)
        #expect(ended(decisions) == monitor.alerts.filter { $0.endStep != nil }, sourceLocation: location)
        #expect(!alert.message.isEmpty && !alert.advice.isEmpty && alert.startStep <= alert.detectedStep)
        return alert
    }

    private func expectNoAlert(of run: SyntheticRun, location: SourceLocation = #_sourceLocation) throws {
        let alerts = try run.monitored().monitor.alerts
        #expect(
            alerts.isEmpty, "\(alerts.map { "\($0.startStep)-\($0.detectedStep) \($0.message)" })",
            sourceLocation: location)
    }

    // MARK: Health

    /// Lengths, noises, speeds of learning and schedules of runs that go well.
    @Test(arguments: 0..<40)
    func healthyRunsRaiseNothing(index: Int) throws {
        var run = SyntheticRun()
        run.seed = UInt64(1000 + index)
        run.totalSteps = [60, 100, 240, 400, 1000][index % 5]
        run.evaluationInterval = max(5, run.totalSteps / [12, 20, 30][index % 3])
        run.noise = [0.01, 0.06, 0.15][index / 5 % 3]
        let speed = [2.0, 4, 7][index / 2 % 3]
        run.loss = { 1.6 + 1.4 * exp(-speed * $0) }
        run.evaluationLoss = { 1.75 + 1.35 * exp(-speed * $0) }
        if index % 4 == 3 { run.learningRate = { min($0 / 0.05, (1 - $0) / 0.95) * 2e-4 } }
        try expectNoAlert(of: run)
    }

    // MARK: The loss

    @Test func aSpikeBeginsAtOnceAndEndsWithTheFirstOrdinaryStep() throws {
        var run = SyntheticRun()
        run.edit = { step, events in
            guard (200...201).contains(step), case .step(var metrics) = events[0] else { return }
            metrics.loss += 2
            events[0] = .step(metrics)
        }
        let alert = try onlyAlert(.lossSpike, of: run)
        #expect(alert.startStep == 200 && alert.detectedStep == 200 && alert.endStep == 202)
        #expect(try #require(alert.values["z_score"]) > 6)
    }

    @Test func aLossThatRisesAndStaysDiverges() throws {
        var run = SyntheticRun()
        run.loss = { $0 < 0.5 ? 1.6 + 1.4 * exp(-4 * $0) : 5 }
        let (monitor, decisions) = try run.monitored()
        #expect(began(decisions).map(\.kind) == [.lossSpike, .lossDivergence])
        let divergence = try #require(monitor.alerts.last)
        #expect(divergence.severity == .critical && divergence.endStep == nil)
        #expect((200...201).contains(divergence.startStep) && divergence.detectedStep < 212)
        // What looked like a spike ends where it is known for what it is.
        #expect(monitor.alerts[0].startStep == 200 && monitor.alerts[0].endStep == divergence.detectedStep)
    }

    @Test func aSlowDivergenceIsNoticedAndItsEnd() throws {
        var run = SyntheticRun()
        run.loss = { progress in
            let usual = 1.6 + 1.4 * exp(-4 * progress)
            return (0.4...0.7).contains(progress) ? usual + 8 * min(progress - 0.4, 0.7 - progress) : usual
        }
        let alert = try onlyAlert(.lossDivergence, of: run)
        #expect((160...200).contains(alert.startStep))
        #expect((240...300).contains(try #require(alert.endStep)))
    }

    /// A learning rate far too high from the first step on: there is no good level to compare with but the first loss.
    @Test func divergenceFromTheFirstSteps() throws {
        var run = SyntheticRun()
        run.totalSteps = 100
        run.noise = 0.3
        run.loss = { $0 < 0.015 ? 2.5 : 8 }
        run.evaluationLoss = { _ in 8 }
        let alerts = try run.monitored().monitor.alerts
        let divergence = try #require(alerts.first)
        #expect(alerts.filter { $0.kind == .lossDivergence }.count == 1)
        #expect(divergence.kind == .lossDivergence && divergence.startStep <= 5 && divergence.detectedStep <= 15)
    }

    @Test(arguments: [100, 400, 2000])
    func aFrozenModelIsOnAPlateau(totalSteps: Int) throws {
        var run = SyntheticRun()
        run.totalSteps = totalSteps
        run.evaluationInterval = totalSteps / 12
        run.loss = { _ in 2.5 }
        run.evaluationLoss = { _ in 2.6 }
        run.edit = { step, events in
            // Evaluations of the same weights on the same samples are equal.
            for index in events.indices {
                guard case .evaluated = events[index] else { continue }
                events[index] = .evaluated(evaluation(step, 2.6))
            }
        }
        let alert = try onlyAlert(.lossPlateau, of: run)
        #expect(alert.detectedStep <= totalSteps / 2 && alert.endStep == nil)
        #expect(try #require(alert.values["fall_share_upper"]) < 0.01)
    }

    @Test func aPlateauWithoutEvaluationsEndsWhenTheLossFallsAgain() throws {
        var run = SyntheticRun()
        run.totalSteps = 2000
        run.evaluationInterval = 5000
        run.noise = 0.03
        run.learningRate = { _ in 1e-4 }
        run.loss = { $0 < 0.1 ? 3 - 10 * $0 : $0 < 0.6 ? 2 : 2 - 2 * ($0 - 0.6) }
        let alert = try onlyAlert(.lossPlateau, of: run)
        #expect((200...700).contains(alert.startStep) && alert.detectedStep < 1100)
        #expect((1200...1500).contains(try #require(alert.endStep)))
    }

    @Test func aFlatLossAtTheEndOfTheScheduleIsWanted() throws {
        var run = SyntheticRun()
        run.totalSteps = 1000
        run.noise = 0.01
        run.loss = { $0 < 0.6 ? 3 - 2 * $0 : 1.8 }
        run.evaluationLoss = { $0 < 0.6 ? 3.1 - 2 * $0 : 1.9 }
        try expectNoAlert(of: run)
    }

    /// Their loss falls to the entropy of the frequencies, and a little below by what the form of the texts tells.
    @Test(arguments: [80, 200, 3000], [0.03, 0.2])
    func labelsWithoutOrderAreToldLongBeforeTheEnd(totalSteps: Int, noise: Double) throws {
        var run = SyntheticRun()
        run.totalSteps = totalSteps
        run.evaluationInterval = totalSteps / 8
        run.noise = noise
        run.labelEntropy = 5.7
        run.loss = { 5.4 + 1.2 * exp(-4 * $0) }
        run.evaluationLoss = { 5.5 + 1.15 * exp(-4 * $0) }
        let alert = try onlyAlert(.noBetterThanFrequencies, of: run)
        #expect(alert.startStep == 1 && alert.detectedStep <= totalSteps / 10 + 30 && alert.endStep == nil)
        #expect(alert.values["label_entropy"] == 5.7)
        // Who does not tell the entropy is not judged by it.
        run.labelEntropy = nil
        try expectNoAlert(of: run)
    }

    @Test func aModelThatBeginsToUseTheContextIsOutOfIt() throws {
        var run = SyntheticRun()
        run.totalSteps = 1000
        run.loss = { 2 + 7 * exp(-10 * $0) }
        run.evaluationLoss = { 2.1 + 7 * exp(-10 * $0) }
        let alert = try onlyAlert(.noBetterThanFrequencies, of: run)
        // 3.9 · 0.8 is reached at 0.183 of the run.
        #expect(alert.startStep == 1 && (183...210).contains(alert.endStep ?? 0))
    }

    @Test func aLossNearTheBoundIsOneEpisodeAtMost() throws {
        var run = SyntheticRun()
        run.totalSteps = 2000
        run.noise = 0.3
        run.loss = { 3.9 * 0.85 + 0.1 * sin(60 * $0) }
        run.evaluationLoss = { _ in 2 }
        run.learningRate = { _ in 1e-4 }
        let alerts = try run.monitored().monitor.alerts.filter { $0.kind == .noBetterThanFrequencies }
        #expect(alerts.count <= 1)
    }

    /// It is told of once, as what it is.
    @Test func aDivergenceIsNotToldAsMissingContext() throws {
        var run = SyntheticRun()
        run.loss = { $0 < 0.5 ? 1.6 + 1.4 * exp(-4 * $0) : 8 }
        let kinds = try run.monitored().monitor.alerts.map(\.kind)
        #expect(kinds.contains(.lossDivergence) && !kinds.contains(.noBetterThanFrequencies))
    }

    @Test func overfittingBeginsAtTheBestEvaluation() throws {
        var run = SyntheticRun()
        run.noise = 0.02
        run.loss = { 3 * exp(-3 * $0) + 0.1 }
        run.evaluationLoss = { 2 + 4 * ($0 - 0.4) * ($0 - 0.4) }
        let alert = try onlyAlert(.overfitting, of: run)
        #expect((140...180).contains(alert.startStep) && alert.endStep == nil)
        #expect(alert.detectedStep <= 260)
        #expect(alert.values["best_step"].map { Int($0) } == alert.startStep)
    }

    @Test func aWideGapAloneIsNoOverfitting() throws {
        var run = SyntheticRun()
        run.evaluationLoss = { 2.6 + 1.35 * exp(-4 * $0) }
        try expectNoAlert(of: run)
    }

    // MARK: Gradient, rate, speed, memory

    @Test(arguments: [6.0, 0.01])
    func gradientNormOutOfBounds(norm: Double) throws {
        var run = SyntheticRun()
        run.gradientNorm = { (0.25...0.75).contains($0) ? norm : 0.8 }
        let alert = try onlyAlert(.gradientNormOutOfBounds, of: run)
        #expect(alert.startStep == 100 && alert.detectedStep <= 112)
        #expect((301...310).contains(try #require(alert.endStep)))
        #expect(alert.message.contains(norm > 1 ? "above 2.0" : "below 0.1"))
    }

    @Test func aNormThatWandersAboutItsBoundIsOneEpisode() throws {
        var run = SyntheticRun()
        run.gradientNorm = { 2 + 0.15 * sin(40 * $0) }
        #expect(try onlyAlert(.gradientNormOutOfBounds, of: run).endStep == nil)
    }

    @Test func singleLargeGradientsAreNoTrouble() throws {
        var run = SyntheticRun()
        run.gradientNorm = { Int($0 * 400) % 4 == 0 ? 30 : 0.8 }
        try expectNoAlert(of: run)
    }

    @Test func aLearningRateOfZeroTooEarly() throws {
        var run = SyntheticRun()
        // As a schedule that was made for half the steps.
        run.learningRate = { $0 < 0.05 ? $0 / 0.05 * 2e-4 : $0 < 0.5 ? 1e-4 * (1 + cos(.pi * ($0 - 0.05) / 0.45)) : 0 }
        let alert = try onlyAlert(.learningRateZero, of: run)
        #expect((194...200).contains(alert.startStep) && alert.detectedStep <= 215 && alert.endStep == nil)
    }

    @Test func restartsOfTheScheduleAreNoTrouble() throws {
        var run = SyntheticRun()
        run.totalSteps = 2000
        run.learningRate = { 1e-4 * (1 + cos(.pi * ($0 * 8).truncatingRemainder(dividingBy: 1))) }
        try expectNoAlert(of: run)
    }

    @Test func throughputCollapsesAndRecovers() throws {
        var run = SyntheticRun()
        run.tokensPerSecond = { (0.5...0.75).contains($0) ? 1000 : 3000 }
        let alert = try onlyAlert(.throughputCollapse, of: run)
        #expect(alert.startStep == 200 && alert.detectedStep <= 210)
        #expect((301...308).contains(try #require(alert.endStep)))
    }

    @Test func aNewProcessHasItsOwnSpeedAndMemory() throws {
        var run = SyntheticRun()
        run.tokensPerSecond = { $0 > 0.5 ? 1000 : 3000 }
        run.memoryMiB = { $0 > 0.5 ? 3000 : 700 }
        run.edit = { step, events in
            guard step == 201 else { return }
            var description = SyntheticRun().description
            description.resumedAtStep = 200
            events.insert(.started(description), at: 0)
        }
        try expectNoAlert(of: run)
    }

    @Test func aLeakIsNoticedAndAJumpIsNot() throws {
        var run = SyntheticRun()
        run.memoryMiB = { 800 + 1000 * $0 }
        let alert = try onlyAlert(.memoryGrowth, of: run)
        #expect(alert.startStep == 20 && alert.detectedStep <= 240)
        #expect(abs(try #require(alert.values["mib_per_step"]) - 2.5) < 0.3)
        run.memoryMiB = { $0 < 0.45 ? 800 : 1400 }
        try expectNoAlert(of: run)
    }

    @Test func aLeakOfOneAcceleratorIsToldByItsIndexAndEnds() throws {
        var run = SyntheticRun()
        run.totalSteps = 1000
        run.edit = { step, events in
            for index in events.indices {
                guard case .resources(var usage) = events[index] else { continue }
                usage.accelerators = [0, 1].map {
                    let leaked = $0 == 1 ? min(step, 500) << 20 : 0
                    return .init(index: $0, allocated: 2000 << 20 + leaked, reserved: 0, peakAllocated: 0)
                }
                events[index] = .resources(usage)
            }
        }
        let alert = try onlyAlert(.memoryGrowth, of: run)
        #expect(alert.values["accelerator"] == 1)
        #expect(try #require(alert.endStep) > 500)
    }

    @Test func notFiniteStepsAreOneEpisode() throws {
        var run = SyntheticRun()
        run.edit = { step, events in
            if (100...103).contains(step) {
                events[0] = .stepSkipped(step: step, reason: "the loss is nan.", records: ["d.jsonl:7"])
            }
        }
        let alert = try onlyAlert(.notFinite, of: run)
        #expect(alert.startStep == 100 && alert.detectedStep == 100 && alert.endStep == 104)
        #expect(alert.severity == .critical && alert.message.contains("d.jsonl:7"))
    }

    @Test func twoEpisodesAreTwoAlerts() throws {
        var run = SyntheticRun()
        run.edit = { step, events in
            if step == 100 || step == 300 { events[0] = .stepSkipped(step: step, reason: "nan", records: []) }
        }
        let alerts = try run.monitored().monitor.alerts
        #expect(alerts.map(\.startStep) == [100, 300] && alerts.map(\.endStep) == [101, 301])
    }

    @Test func oddEventsHarmNothing() throws {
        var monitor = try Monitor()
        for value in [Double.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -1e308, 0, .leastNonzeroMagnitude] {
            for odd in [Int.min, -1, 0, 1, 1 << 52, Int.max] {
                _ = monitor.observe(
                    .step(step(odd, loss: value, gradientNorm: value, learningRate: value, labels: .max)))
                _ = monitor.observe(.evaluated(evaluation(odd, value)))
                _ = monitor.observe(.resources(ResourceUsage(step: odd, resident: .max, peakResident: .min)))
                _ = monitor.observe(.stepSkipped(step: odd, reason: "", records: []))
                _ = monitor.observe(.probed(step: odd, answers: []))
                _ = monitor.observe(.checkpointFailed(kind: .stable, step: odd, reason: ""))
                _ = monitor.observe(
                    .checkpointSaved(CheckpointRecord(step: odd, kind: .stable, path: "", seconds: value)))
            }
        }
        // Whatever came in, the state can be written and read.
        let data = try JSONEncoder().encode(monitor)
        #expect(try JSONDecoder().decode(Monitor.self, from: data) == monitor)
    }
}
