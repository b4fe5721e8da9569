import Foundation
import MenoMetrics
import MenoTesting
import Testing

@testable import MenoMonitor

struct MonitorTests {
    /// Everything happens in it: spikes, a divergence, over-fitting, leaks, probes, saves that fail.
    private var eventfulRun: [RunEvent] {
        var run = SyntheticRun()
        run.noise = 0.1
        run.loss = { $0 > 0.6 && $0 < 0.7 ? 4 : 0.9 * exp(-2 * $0) }
        run.evaluationLoss = { 0.6 + ($0 - 0.6) * ($0 - 0.6) }
        run.gradientNorm = { $0 > 0.4 && $0 < 0.5 ? 9 : 0.8 }
        run.memoryMiB = { 800 + 900 * $0 }
        run.edit = { step, events in
            if step == 50 { events[0] = .stepSkipped(step: 50, reason: "nan", records: []) }
            if step % 40 == 0 {
                let answer = step < 200 ? "あなたはどう思いますか？\(step)" : "はい。はい。はい。はい。はい。はい。はい。はい。"
                events.append(
                    .probed(
                        step: step,
                        answers: ["勇気とは何ですか。", "What is virtue?"].map {
                            ProbeAnswer(question: $0, answer: answer, isComplete: step < 300, tokens: 9, seconds: 1)
                        }))
            }
            guard step % 20 == 0 else { return }
            events.append(
                step % 60 == 0
                    ? .checkpointFailed(kind: .stable, step: step, reason: "full")
                    : .checkpointSaved(CheckpointRecord(step: step, kind: .stable, path: "s\(step)", seconds: 1)))
        }
        return run.events
    }

    private var configuration: MonitorConfiguration {
        var configuration = MonitorConfiguration()
        configuration.minStepsBetweenCheckpoints = 20
        configuration.maxStableCheckpoints = 2
        configuration.evaluationLossDeviationThreshold = 0.2
        return configuration
    }

    /// A monitor that was written and read at any event decides what one decides that was not.
    @Test func writingAndReadingChangesNoDecision() throws {
        let events = eventfulRun
        var whole = try Monitor(configuration: configuration)
        let expected = events.map { whole.observe($0) }
        let kinds = Set(whole.alerts.map(\.kind))
        #expect(kinds.count >= 6, "\(kinds)")
        #expect(expected.joined().contains { if case .removeStableCheckpoint = $0 { true } else { false } })
        for cut in stride(from: 0, to: events.count, by: 37) {
            var monitor = try Monitor(configuration: configuration)
            for event in events[..<cut] { _ = monitor.observe(event) }
            var resumed = try JSONDecoder().decode(Monitor.self, from: JSONEncoder().encode(monitor))
            #expect(resumed == monitor)
            #expect(events[cut...].map { resumed.observe($0) } == Array(expected[cut...]), "cut at \(cut)")
            #expect(resumed == whole)
        }
    }

    @Test func decisionsTravelAsJSON() throws {
        var monitor = try Monitor(configuration: configuration)
        let decisions = eventfulRun.flatMap { monitor.observe($0) }
        let data = try JSONEncoder().encode(decisions)
        #expect(try JSONDecoder().decode([MonitorDecision].self, from: data) == decisions)
    }

    @Test func defaultsAreTheOriginals() throws {
        let configuration = MonitorConfiguration()
        #expect(configuration.windowSize == 5)
        #expect(configuration.minStepsBetweenCheckpoints == 100)
        #expect(configuration.perplexityThreshold == 2.5)
        #expect(configuration.evaluationLossDeviationThreshold == 0.1)
        #expect(configuration.gradientNormBounds == 0.1...2.0)
        #expect(configuration.maxStableCheckpoints == 5)
        #expect(configuration.maxConsecutiveErrors == 3)
        #expect(configuration.varianceBiasWindow == 10)
        #expect(configuration.optimalGapRange == 0.1...0.3)
        #expect(configuration.balancedTotalVariance == 0.1)
        #expect(configuration.balancedVarianceRatio == 0.7)
        try configuration.validate()
    }

    @Test func configurationThatCannotJudgeIsRefusedByKey() {
        func refused(_ change: (inout MonitorConfiguration) -> Void) -> String? {
            var configuration = MonitorConfiguration()
            change(&configuration)
            do {
                _ = try Monitor(configuration: configuration)
                return nil
            } catch { return (error as? MonitorError)?.place }
        }
        #expect(refused { $0.windowSize = 0 } == "window_size")
        #expect(refused { $0.varianceBiasWindow = -1 } == "variance_bias_window")
        #expect(refused { $0.perplexityThreshold = .nan } == "perplexity_threshold")
        #expect(refused { $0.gradientNormBounds = 0.1 ... .infinity } == "grad_norm_bounds")
        #expect(refused { $0.maxConsecutiveErrors = 0 } == "max_consecutive_errors")
        #expect(refused { $0.loggingSteps = 0 } == "logging_steps")
        #expect(refused { $0.alerts.confidence = 1 } == "alerts.confidence")
        #expect(refused { $0.alerts.minContextGain = -0.1 } == "alerts.min_context_gain")
        #expect(refused { $0.alerts.gradientNormWindow = 0 } == "alerts.grad_norm_window")
        #expect(refused { $0.probes.minAskingShare = 1.5 } == "probes.min_asking_share")
        #expect(refused { _ in } == nil)
    }

    @Test func theRunsOwnLogIntervalCounts() throws {
        var monitor = try Monitor()
        for interval in [nil, 0, 7] {
            var description = SyntheticRun().description
            description.loggingSteps = interval
            _ = monitor.observe(.started(description))
        }
        for index in 1...21 { _ = monitor.observe(.step(step(index, loss: 2))) }
        #expect(monitor.history.trainLoss.steps == [7, 14, 21])
    }

    @Test func otherThresholdsTakeEffectAtOnce() throws {
        var monitor = try Monitor()
        for index in 1...6 {
            _ = monitor.observe(.step(step(index * 20, loss: 2)))
            if index == 6 {
                var configuration = MonitorConfiguration()
                configuration.perplexityThreshold = 100
                try monitor.reconfigure(configuration)
            }
            _ = monitor.observe(.evaluated(evaluation(index * 20, 2)))
            #expect(monitor.lastVerdict?.outcome.saves == (index == 6))
        }
    }
}
