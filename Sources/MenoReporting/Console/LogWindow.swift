internal import MenoMetrics

/// The steps between two lines of the log.
struct LogWindow: Codable {
    private var lossSum = 0.0
    private var steps = 0
    private var tokens = 0
    private var seconds = 0.0

    // What another process computed tells nothing of the speed of this one.
    private enum CodingKeys: CodingKey { case lossSum, steps }

    mutating func add(_ metrics: StepMetrics) {
        lossSum += metrics.loss
        steps += 1
        tokens += metrics.tokens
        seconds += metrics.seconds
    }

    /// The mean over the steps, as Trainer's log and `trainer_state.json` have it.
    var loss: Double { lossSum / Double(max(1, steps)) }

    var tokensPerSecond: Double { Double(tokens) / max(seconds, 1e-9) }
}
