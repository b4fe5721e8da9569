import Foundation
import MenoMetrics
import MenoReporting
import Testing

@Suite struct ConsoleReporterTests {
    @Test func aLineShowsTheMeanOverItsSteps() throws {
        let lines = try lines(loggingSteps: 2, logsFirstStep: true, total: 4) { reporter in
            for (step, loss, labels) in [(1, 4.0, 10), (2, 3.0, 10), (3, 1.0, 30), (4, 2.0, 10)] {
                try reporter.observe(.step(metrics(step, loss: loss, labels: labels)))
            }
        }
        let steps = lines.filter { $0.hasPrefix("step") }
        #expect(steps.count == 3)
        #expect(steps[0].hasPrefix("step 1/4  epoch 0.25  loss 4.0000  lr 1.00e-04  grad norm 0.500  100 tokens/s"))
        #expect(steps[0].hasSuffix("3 s left"))
        #expect(steps[1].contains("loss 3.0000"))
        // As trainer_state.json has it, whatever the number of their labels.
        #expect(steps[2].contains("loss 1.5000") && steps[2].hasSuffix("0 s left"))
    }

    @Test func theFirstStepHasALineWhereItIsAskedFor() throws {
        for (logsFirstStep, count) in [(true, 1), (false, 0)] {
            let lines = try lines(loggingSteps: 2, logsFirstStep: logsFirstStep, total: 4) {
                try $0.observe(.step(metrics(1, loss: 4, labels: 10)))
            }
            #expect(lines.count { $0.hasPrefix("step 1/4") } == count)
        }
    }

    @Test func memoryIsLoggedAsTheNotebookDoes() throws {
        let usage = ResourceUsage(
            step: 3, resident: 12_345 << 18, peakResident: 4 << 30,
            accelerators: [.init(index: 0, allocated: 1 << 20, reserved: 2 << 20, peakAllocated: 3 << 19)])
        let evaluation = EvaluationMetrics(
            step: usage.step, epoch: 1, loss: 1, tokenAccuracy: 0.5, completionLoss: nil, tokens: 10, samples: 1,
            seconds: 1)
        // Between evaluations they are in the files alone.
        let between = try lines(loggingSteps: 1, total: 1) { try $0.observe(.resources(usage)) }
        #expect(!between.contains { $0.contains("Memory") })
        let lines = try lines(loggingSteps: 1, total: 1) {
            try $0.observe(.evaluated(evaluation))
            try $0.observe(.resources(usage))
        }
        #expect(lines[lines.count - 5].hasPrefix("CPU Memory usage: 3086.25 MiB"))
        #expect(
            lines.suffix(4) == [
                "GPU 0 Memory:", "  - Allocated: 1.00 MiB", "  - Reserved: 2.00 MiB", "  - Max Allocated: 1.50 MiB",
            ])
    }

    @Test func theEndTellsWhatWatchingTook() throws {
        let lines = try lines(loggingSteps: 1, total: 1) {
            try $0.observe(
                .finished(RunOutcome(reason: .completed, step: 1, seconds: 40, observerSeconds: 0.04)))
        }
        #expect(lines.last == "Observers: 0.04 s, 0.10 % of the run")
    }

    @Test func theEndTellsWhereTheRunArrived() throws {
        let lines = try lines(loggingSteps: 1, total: 2) {
            try $0.observe(.step(metrics(1, loss: 3, labels: 1)))
            try $0.observe(
                .evaluated(
                    EvaluationMetrics(
                        step: 1, epoch: 1, loss: 0, tokenAccuracy: 1, completionLoss: nil, tokens: 1, samples: 1,
                        seconds: 1)))
            try $0.observe(.finished(RunOutcome(reason: .completed, step: 2, seconds: 4)))
        }
        #expect(
            lines.suffix(3) == [
                "Final training loss: 3.0000", "Final evaluation loss: 0.0000", "Final perplexity: 1.0000",
            ])
    }

    /// A step that waited for an hour tells nothing of those to come.
    @Test func whatIsLeftIsToldByTheUsualStep() throws {
        let lines = try lines(loggingSteps: 1, total: 10) { reporter in
            for (index, seconds) in [2.0, 2, 3600, 2, 2].enumerated() {
                var metrics = metrics(index + 1, loss: 1, labels: 1)
                metrics.seconds = seconds
                try reporter.observe(.step(metrics))
            }
        }
        #expect(lines.last?.hasSuffix("10 s left") == true, "\(lines)")
    }

    /// Evaluations are a part of it, with the probe questions that follow them.
    @Test func whatIsLeftCountsEvaluationsAndProbes() throws {
        let left = { (lines: [String]) in
            lines.last { $0.hasPrefix("step") }?.split(separator: "  ").last.map(String.init)
        }
        // Not measured yet: 0.4 of the time of 100 tokens a second, 500 tokens, after steps 4, 8 and 10.
        let first = try lines(loggingSteps: 1, total: 10, evaluationSteps: 4, evaluationTokens: 500) {
            try $0.observe(.step(metrics(1, loss: 1, labels: 1)))
        }
        #expect(left(first) == "15 s left", "\(first)")
        let later = try lines(loggingSteps: 1, total: 10, evaluationSteps: 4, evaluationTokens: 500) { reporter in
            for step in 1...4 { try reporter.observe(.step(metrics(step, loss: 1, labels: 1))) }
            try reporter.observe(
                .evaluated(
                    EvaluationMetrics(
                        step: 4, epoch: 1, loss: 1, tokenAccuracy: 1, completionLoss: nil, tokens: 500, samples: 1,
                        seconds: 3)))
            let answer = ProbeAnswer(question: "q", answer: "a", isComplete: true, tokens: 1, seconds: 2)
            try reporter.observe(.probed(step: 4, answers: [answer, answer]))
            try reporter.observe(.step(metrics(5, loss: 1, labels: 1)))
        }
        // Five steps, and two evaluations of 3 + 4 seconds.
        #expect(left(later) == "19 s left", "\(later)")
    }

    /// The line after a resume has the steps before it in its mean, as the log of the run.
    @Test func aResumedRunsLineIsThatOfAnUnbrokenOne() throws {
        var state = Data()
        _ = try lines(loggingSteps: 3, total: 3) { reporter in
            for step in 1...2 { try reporter.observe(.step(metrics(step, loss: 4, labels: 1))) }
            state = try reporter.state()
        }
        let resumed = try lines(loggingSteps: 3, total: 3) {
            try $0.restore(state)
            try $0.observe(.step(metrics(3, loss: 1, labels: 1)))
        }
        #expect(resumed.last?.contains("loss 3.0000") == true && resumed.last?.contains("100 tokens/s") == true)
    }

    private func lines(
        loggingSteps: Int, logsFirstStep: Bool = false, total: Int, evaluationSteps: Int? = nil,
        evaluationTokens: Int? = nil, _ body: (ConsoleReporter) throws -> Void
    ) throws -> [String] {
        let collected = Lines()
        let reporter = ConsoleReporter { collected.all.append($0) }
        try reporter.observe(
            .started(
                .init(
                    model: "m", architecture: "a", device: "cpu", dtype: "float32", trainSamples: 4,
                    evaluationSamples: 1, totalSteps: total, stepsPerEpoch: 4, trainedParameters: 1,
                    totalParameters: 100, loggingSteps: loggingSteps, logsFirstStep: logsFirstStep,
                    evaluationSteps: evaluationSteps, evaluationTokens: evaluationTokens)))
        try body(reporter)
        return collected.all
    }

    private func metrics(_ step: Int, loss: Double, labels: Int) -> StepMetrics {
        StepMetrics(
            step: step, epoch: Double(step) / 4, loss: loss, gradientNorm: 0.5, learningRate: 1e-4, tokens: 100,
            labels: labels, seconds: 1)
    }
}

private final class Lines {
    var all: [String] = []
}
