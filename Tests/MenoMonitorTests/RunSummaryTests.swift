import Foundation
import MenoMetrics
import Testing

@testable import MenoMonitor

struct RunSummaryTests {
    private func monitor(_ events: [RunEvent]) throws -> Monitor {
        var monitor = try Monitor()
        for event in events { _ = monitor.observe(event) }
        return monitor
    }

    @Test func ofNothingSaysNothing() throws {
        let summary = try object(RunSummary(monitor([])))
        let zeros: Set = ["steps", "skipped_steps", "duration_seconds", "tokens", "consecutive_checkpoint_errors"]
        #expect(Set(summary.keys) == zeros.union(["stable_checkpoints", "alerts", "peak_gpu_memory_mib"]))
        for key in zeros { #expect(summary[key] as? Double == 0) }
    }

    @Test func tellsTheEndOfARun() throws {
        let mib = 1 << 20
        let probe = ProbeAnswer(question: "何？", answer: "何かね？", isComplete: true, tokens: 3, seconds: 2)
        let summary = RunSummary(
            try monitor([
                .started(SyntheticRun().description),
                .step(step(10, loss: 2)), .evaluated(evaluation(10, 1.5)),
                .resources(
                    ResourceUsage(
                        step: 10, resident: 3 * mib, peakResident: 9 * mib,
                        accelerators: [1, 0].map {
                            .init(index: $0, allocated: 0, reserved: 0, peakAllocated: (5 + $0) * mib)
                        })),
                .resources(ResourceUsage(step: 10, resident: 4 * mib, peakResident: 8 * mib)),
                .step(step(20, loss: 1)), .stepSkipped(step: 21, reason: "nan", records: []),
                .evaluated(evaluation(20, 1.75)), .probed(step: 20, answers: [probe]),
                .checkpointSaved(CheckpointRecord(step: 20, kind: .regular, path: "c", seconds: 1)),
                .finished(RunOutcome(reason: .stoppedEarly, message: "enough", step: 20, seconds: 8)),
            ]))
        #expect(summary.status == .stoppedEarly && summary.message == "enough")
        #expect(summary.steps == 20 && summary.skippedSteps == 1 && summary.durationSeconds == 8)
        #expect(summary.finalTrainLoss == 1 && summary.finalEvaluationLoss == 1.75)
        #expect(summary.finalPerplexity == exp(1.75))
        #expect(summary.bestStep == 10 && summary.bestEvaluationLoss == 1.5)
        #expect(summary.peakMemoryMiB == 9 && summary.peakGPUMemoryMiB == [5, 6])
        #expect(summary.tokens == 400 && summary.tokensPerSecond == 200 && summary.probeShare == 0.25)
        #expect(summary.alerts.map(\.kind) == [.notFinite])
        #expect(try object(summary)["best_eval_loss"] as? Double == 1.5)
    }

    @Test func theRunsOwnBestStepCounts() throws {
        // Of how much of the run the observers took, its last process tells.
        let watched = RunSummary(
            try monitor([
                .step(step(10, loss: 1)),
                .finished(RunOutcome(reason: .completed, step: 10, seconds: 8, observerSeconds: 0.5)),
            ]))
        #expect(watched.observerSeconds == 0.5 && watched.observerShare == 0.0625)
        let summary = RunSummary(
            try monitor([
                .evaluated(evaluation(10, 1)), .evaluated(evaluation(20, 2)),
                .finished(RunOutcome(reason: .completed, step: 20, seconds: 1, bestStep: 20, bestMetric: .nan)),
            ]))
        #expect(summary.bestStep == 20 && summary.bestEvaluationLoss == 2)
        #expect(throws: Never.self) { try JSONEncoder().encode(summary) }
    }

    @Test func theTimeOfAllProcessesIsAddedUp() throws {
        var resumed = SyntheticRun().description
        resumed.resumedAtStep = 1
        var monitor = try monitor([.started(SyntheticRun().description), .step(step(1, loss: 1)), .started(resumed)])
        #expect(monitor.totals.seconds == 1)
        _ = monitor.observe(.step(step(2, loss: 1)))
        #expect(monitor.totals.seconds == 2)
        _ = monitor.observe(.finished(RunOutcome(reason: .completed, step: 2, seconds: 5)))
        #expect(monitor.totals.seconds == 6)
    }
}
