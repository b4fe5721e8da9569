import Foundation
import MenoMetrics
import Testing

@testable import MenoMonitor

struct HistoryTests {
    @Test func aPointIsTheMeanOverItsLogInterval() {
        var history = History()
        for index in 1...25 {
            history.add(
                step(
                    index, loss: Double(index), gradientNorm: Double(index), learningRate: Double(index) / 100,
                    labels: index == 10 ? 300 : 100), loggingSteps: 10)
        }
        #expect(history.trainLoss.steps == [10, 20])
        // 1…9 weigh 1, 10 weighs 3.
        #expect(abs(history.trainLoss.values[0] - 75.0 / 12) < 1e-12)
        #expect(history.gradientNorm.values == [5.5, 15.5])
        #expect(history.learningRate.values == [0.1, 0.2])
        history.closeInterval()
        #expect(history.trainLoss.points.last == Point(step: 25, value: 23))
        history.closeInterval()
        #expect(history.trainLoss.points.count == 3)
    }

    @Test func everyLoggedEntryOfARecordedRunIsAPoint() {
        var history = History()
        for index in stride(from: 25, through: 100, by: 25) {
            history.add(step(index, loss: 1), loggingSteps: 10)
        }
        #expect(history.trainLoss.steps == [25, 50, 75, 100])
    }

    @Test func whatWasNotMeasuredIsAbsent() throws {
        var monitor = try Monitor()
        _ = monitor.observe(.step(step(10, loss: 2, gradientNorm: .nan, learningRate: .nan)))
        _ = monitor.observe(.evaluated(evaluation(10, .nan)))
        _ = monitor.observe(.evaluated(evaluation(20, 1000)))
        _ = monitor.observe(.resources(ResourceUsage(step: 20, resident: 1, peakResident: 1)))
        #expect(monitor.history.trainLoss.values == [2])
        #expect(monitor.history.gradientNorm.points.isEmpty)
        #expect(monitor.history.learningRate.points.isEmpty)
        #expect(monitor.history.evaluationLoss.points == [Point(step: 20, value: 1000)])
        #expect(monitor.history.perplexity.values[0].isFinite)
        #expect(monitor.history.gpuMemoryUsage.points.isEmpty)
        #expect(monitor.history.steps == [10, 20])
    }

    @Test func memoryOfAllAcceleratorsIsSummedInMiB() {
        var history = History()
        let accelerators = [0, 1].map {
            ResourceUsage.Accelerator(index: $0, allocated: 3 << 20, reserved: 9 << 20, peakAllocated: 5 << 20)
        }
        history.add(ResourceUsage(step: 5, resident: 1, peakResident: 1, accelerators: accelerators))
        #expect(history.gpuMemoryUsage.points == [Point(step: 5, value: 6)])
    }

    @Test func exportHasTheOriginalSevenKeysAndEachSeriesItsSteps() throws {
        var history = History()
        for index in 1...20 { history.add(step(index, loss: 1), loggingSteps: 10) }
        history.add(evaluation(15, 1.5))
        let seven: Set = [
            "step", "train_loss", "eval_loss", "learning_rate", "perplexity", "grad_norm", "gpu_memory_usage",
        ]
        let full = try object(TrainingMetricsRecord(history))
        #expect(Set(full.keys) == seven.union(["series_steps"]))
        #expect(full["step"] as? [Int] == [10, 15, 20])
        let steps = try #require(full["series_steps"] as? [String: [Int]])
        #expect(Set(steps.keys) == seven.subtracting(["step"]))
        for (series, steps) in steps { #expect((full[series] as? [Double])?.count == steps.count) }
        #expect(steps["eval_loss"] == [15])
    }
}
