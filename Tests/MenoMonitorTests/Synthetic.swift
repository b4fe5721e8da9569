import Foundation
import MenoMetrics
import MenoTesting

@testable import MenoMonitor

extension SeededGenerator {
    /// 0..<1, as the Python reference draws it.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
    mutating func below(_ bound: Int) -> Int { Int(uniform() * Double(bound)) }
    /// Standard normal noise (Box-Muller).
    mutating func normal() -> Double {
        (-2 * log(1 - uniform())).squareRoot() * cos(2 * Double.pi * uniform())
    }
}

/// A constructed run. What a test is about is set; the rest is that of a healthy run: a loss that falls by half, a
/// warm-up and a cosine, gradients within their bounds, steady speed and memory, noise on everything.
struct SyntheticRun {
    var totalSteps = 400
    var evaluationInterval = 20
    /// Of the labels; a healthy run begins and ends below it.
    var labelEntropy: Double? = 3.9
    var seed: UInt64 = 1
    var noise = 0.06
    var loss: (Double) -> Double = { 1.6 + 1.4 * exp(-4 * $0) }
    var evaluationLoss: (Double) -> Double = { 1.75 + 1.35 * exp(-4 * $0) }
    var learningRate: (Double) -> Double = { progress in
        progress < 0.1 ? 2e-4 * max(progress, 1e-4) / 0.1 : 1e-4 * (1 + cos(.pi * (progress - 0.1) / 0.9))
    }
    var gradientNorm: (Double) -> Double = { 0.9 - 0.4 * $0 }
    var tokensPerSecond: (Double) -> Double = { _ in 3000 }
    var memoryMiB: (Double) -> Double = { $0 < 0.1 ? 700 : 900 }
    /// Changes the events of a step at will.
    var edit: (Int, inout [RunEvent]) -> Void = { _, _ in }

    var description: RunDescription {
        RunDescription(
            model: "m", architecture: "a", device: "cpu", dtype: "float32", trainSamples: 1000, evaluationSamples: 50,
            totalSteps: totalSteps, stepsPerEpoch: 100, trainedParameters: 1, totalParameters: 2,
            labelEntropy: labelEntropy)
    }

    var events: [RunEvent] {
        var generator = SeededGenerator(seed: seed)
        var events: [RunEvent] = [.started(description)]
        for step in 1...totalSteps {
            let progress = Double(step) / Double(totalSteps)
            let tokens = 2000 + generator.below(500)
            var ofStep: [RunEvent] = [
                .step(
                    StepMetrics(
                        step: step, epoch: Double(step) / 100, loss: loss(progress) + noise * generator.normal(),
                        gradientNorm: gradientNorm(progress) * exp(0.15 * generator.normal()),
                        learningRate: learningRate(progress), tokens: tokens, labels: tokens / 2,
                        seconds: Double(tokens) / (tokensPerSecond(progress) * exp(0.1 * generator.normal()))))
            ]
            if step % evaluationInterval == 0 {
                ofStep.append(
                    .evaluated(
                        EvaluationMetrics(
                            step: step, epoch: Double(step) / 100,
                            loss: evaluationLoss(progress) + 0.05 * noise * generator.normal(), tokenAccuracy: 0.5,
                            completionLoss: nil, tokens: 5000, samples: 50, seconds: 1)))
                let bytes = Int((memoryMiB(progress) + 4 * generator.normal()) * 1_048_576)
                ofStep.append(.resources(ResourceUsage(step: step, resident: bytes, peakResident: bytes)))
            }
            edit(step, &ofStep)
            events += ofStep
        }
        return events
    }

    /// The monitor after the run, and what it decided.
    func monitored(_ configuration: MonitorConfiguration = MonitorConfiguration()) throws -> (
        monitor: Monitor, decisions: [MonitorDecision]
    ) {
        var monitor = try Monitor(configuration: configuration)
        let decisions = events.flatMap { monitor.observe($0) }
        return (monitor, decisions)
    }
}

func evaluation(_ step: Int, _ loss: Double) -> EvaluationMetrics {
    EvaluationMetrics(
        step: step, epoch: 0, loss: loss, tokenAccuracy: 0.5, completionLoss: nil, tokens: 100, samples: 10, seconds: 1)
}

func step(_ step: Int, loss: Double, gradientNorm: Double = 1, learningRate: Double = 1e-4, labels: Int = 100)
    -> StepMetrics
{
    StepMetrics(
        step: step, epoch: 0, loss: loss, gradientNorm: gradientNorm, learningRate: learningRate, tokens: 200,
        labels: labels, seconds: 1)
}
