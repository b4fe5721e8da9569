internal import MenoMetrics

/// Forecasts how long a run still takes: its steps, its evaluations, and the probe questions that follow them.
struct TimeLeft {
    private var totalSteps = 0
    private var evaluationSteps: Int?
    private var evaluationTokens: Int?
    private var latest: [(seconds: Double, tokens: Int)] = []
    private var evaluations: (count: Int, seconds: Double) = (0, 0)
    private var probeSeconds = 0.0

    /// The time of a forward pass as a share of a forward and a backward one, until an evaluation is measured.
    private static let forwardShare = 0.4

    mutating func begin(_ description: RunDescription) {
        totalSteps = description.totalSteps
        evaluationSteps = description.evaluationSteps
        evaluationTokens = description.evaluationTokens
    }

    mutating func add(_ metrics: StepMetrics) {
        latest = latest.suffix(49) + [(metrics.seconds, metrics.tokens)]
    }

    mutating func add(_ metrics: EvaluationMetrics) {
        evaluations = (evaluations.count + 1, evaluations.seconds + metrics.seconds)
    }

    mutating func add(_ answers: [ProbeAnswer]) { probeSeconds += answers.reduce(0) { $0 + $1.seconds } }

    /// By the median of the latest steps: one that waited tells nothing of those to come.
    func seconds(after step: Int) -> Double {
        guard !latest.isEmpty else { return 0 }
        let usual = latest.map(\.seconds).sorted()[latest.count / 2]
        return usual * Double(totalSteps - step) + secondsOfEvaluation * Double(evaluationsLeft(after: step))
    }

    /// One of this step, if it is due, is still to come: lines are written before it.
    private func evaluationsLeft(after step: Int) -> Int {
        guard let interval = evaluationSteps, interval > 0, totalSteps > 0, step <= totalSteps else { return 0 }
        let (all, done) = (totalSteps / interval, (step - 1) / interval)
        return all - done + (totalSteps % interval == 0 ? 0 : 1)
    }

    /// The mean of those so far, probe questions included: these are not asked after each.
    private var secondsOfEvaluation: Double {
        guard evaluations.count == 0 else { return (evaluations.seconds + probeSeconds) / Double(evaluations.count) }
        let (seconds, tokens) = latest.reduce((0.0, 0)) { ($0.0 + $1.seconds, $0.1 + $1.tokens) }
        guard let evaluationTokens, tokens > 0 else { return 0 }
        return Self.forwardShare * seconds / Double(tokens) * Double(evaluationTokens)
    }
}
