internal import Foundation
internal import MenoMetrics

/// The training diary: seven series, each with the steps it was measured at.
package struct History: Sendable, Hashable, Codable {
    /// The mean over the steps of each log interval, by their labels, in nats.
    package private(set) var trainLoss = Series()
    /// In nats.
    package private(set) var evaluationLoss = Series()
    /// The rate of the last step of each log interval.
    package private(set) var learningRate = Series()
    /// exp(evaluation loss).
    package private(set) var perplexity = Series()
    /// The mean over the steps of each log interval, before clipping.
    package private(set) var gradientNorm = Series()
    /// Bytes in tensors on all accelerators, in MiB; empty where there is none.
    package private(set) var gpuMemoryUsage = Series()
    /// Every step at which anything was measured.
    package private(set) var steps: [Int] = []

    private var interval = LogInterval()

    package init() {}

    mutating func add(_ metrics: StepMetrics, loggingSteps: Int) {
        interval.add(metrics)
        // Not "a multiple of": recorded runs have only some of the steps.
        guard metrics.step / max(1, loggingSteps) > interval.lastLogged / max(1, loggingSteps) else { return }
        closeInterval()
    }

    /// Makes a point of the steps since the last one, if there are any.
    mutating func closeInterval() {
        guard let entry = interval.close() else { return }
        trainLoss.append(entry.loss, step: entry.step)
        if let rate = entry.learningRate { learningRate.append(rate, step: entry.step) }
        if let norm = entry.gradientNorm { gradientNorm.append(norm, step: entry.step) }
        note(entry.step)
    }

    mutating func add(_ metrics: EvaluationMetrics) {
        guard metrics.loss.isMeasured else { return }
        evaluationLoss.append(metrics.loss, step: metrics.step)
        // Beyond e^700 a perplexity says nothing more, but its mean would no longer be a number.
        perplexity.append(exp(min(metrics.loss, 700)), step: metrics.step)
        note(metrics.step)
    }

    mutating func add(_ usage: ResourceUsage) {
        guard !usage.accelerators.isEmpty else { return }
        let bytes = usage.accelerators.reduce(0.0) { $0 + Double($1.allocated) }
        gpuMemoryUsage.append(bytes / 1_048_576, step: usage.step)
        note(usage.step)
    }

    private mutating func note(_ step: Int) {
        // Nearly always the newest step, so the search from the end takes one look.
        let place = (steps.lastIndex { $0 <= step }).map { $0 + 1 } ?? 0
        guard place == 0 || steps[place - 1] != step else { return }
        steps.insert(step, at: place)
    }
}

/// The steps since the last point of the training series.
private struct LogInterval: Sendable, Hashable, Codable {
    struct Entry {
        var step: Int
        var loss: Double
        var learningRate: Double?
        var gradientNorm: Double?
    }

    private(set) var lastLogged = 0
    private var lastStep: Int?
    private var weightedLoss = 0.0
    private var weight = 0.0
    private var learningRate: Double?
    private var normSum = 0.0
    private var normCount = 0

    mutating func add(_ metrics: StepMetrics) {
        guard metrics.loss.isMeasured else { return }
        lastStep = metrics.step
        let labels = Double(max(1, metrics.labels))
        weightedLoss += metrics.loss * labels
        weight += labels
        if metrics.learningRate.isMeasured { learningRate = metrics.learningRate }
        if metrics.gradientNorm.isMeasured {
            normSum += metrics.gradientNorm
            normCount += 1
        }
    }

    mutating func close() -> Entry? {
        guard let step = lastStep else { return nil }
        let entry = Entry(
            step: step, loss: weightedLoss / weight, learningRate: learningRate,
            gradientNorm: normCount > 0 ? normSum / Double(normCount) : nil)
        self = LogInterval()
        lastLogged = step
        return entry
    }
}
