package import MenoMetrics

/// What adds up over a run, all of its processes together.
package struct RunTotals: Sendable, Hashable, Codable {
    /// Optimizer steps done.
    package private(set) var steps = 0
    /// Steps that were not applied.
    package private(set) var skippedSteps = 0
    /// Tokens trained on, without padding. Not a whole number's type, because sums of what files say must not overflow.
    package private(set) var tokens = 0.0
    /// Wall-clock time in optimizer steps.
    package private(set) var stepSeconds = 0.0
    package private(set) var evaluationSeconds = 0.0
    package private(set) var probeSeconds = 0.0
    /// The largest resident size of the process, in bytes; `nil` before it was measured.
    package private(set) var peakResident: Int?
    /// The most bytes in tensors, by accelerator.
    package private(set) var peakAllocated: [Int: Int] = [:]
    /// How the run ended; `nil` while it goes on.
    package private(set) var outcome: RunOutcome?

    /// Time that processes before the present one took, as far as it was measured.
    private var earlierSeconds = 0.0

    init() {}

    private var measuredSeconds: Double { stepSeconds + evaluationSeconds + probeSeconds }

    /// Wall-clock time of the run: what its last process took, and the measured parts of those before; while it goes on,
    /// the measured parts.
    package var seconds: Double { outcome.map { earlierSeconds + $0.seconds } ?? measuredSeconds }

    /// Of training alone; `nil` before anything took time.
    package var tokensPerSecond: Double? { stepSeconds > 0 ? tokens / stepSeconds : nil }

    /// The share of the run's time that probing took, 0…1; `nil` where none took any.
    package var probeShare: Double? { probeSeconds > 0 ? min(1, probeSeconds / seconds) : nil }

    /// The share of its time that observers took of the last process, 0…1; `nil` where it was not told.
    package var observerShare: Double? {
        outcome.flatMap { outcome in
            outcome.observerSeconds.flatMap { outcome.seconds > 0 ? min(1, $0 / outcome.seconds) : nil }
        }
    }

    mutating func add(_ event: RunEvent) {
        switch event {
        case .started:
            earlierSeconds = measuredSeconds
            outcome = nil
        case .step(let metrics):
            steps = max(steps, metrics.step)
            tokens += Double(max(0, metrics.tokens))
            stepSeconds += Self.duration(metrics.seconds)
        case .evaluated(let metrics): evaluationSeconds += Self.duration(metrics.seconds)
        case .probed(_, let answers): probeSeconds += answers.reduce(0) { $0 + Self.duration($1.seconds) }
        case .resources(let usage):
            peakResident = max(peakResident ?? 0, usage.peakResident, usage.resident)
            for accelerator in usage.accelerators {
                peakAllocated[accelerator.index] = max(
                    peakAllocated[accelerator.index] ?? 0, accelerator.peakAllocated, accelerator.allocated)
            }
        case .stepSkipped: skippedSteps += 1
        case .finished(var outcome):
            outcome.seconds = Self.duration(outcome.seconds)
            outcome.observerSeconds = outcome.observerSeconds.map(Self.duration)
            outcome.bestMetric = outcome.bestMetric.flatMap { $0.isMeasured ? $0 : nil }
            self.outcome = outcome
        // Checkpoints are written beside the steps.
        case .checkpointSaved, .checkpointRemoved, .checkpointFailed, .alertBegan, .alertEnded, .notice, .warning: break
        }
    }

    /// A time that can have passed.
    private static func duration(_ seconds: Double) -> Double { seconds.isMeasured ? max(0, seconds) : 0 }
}
