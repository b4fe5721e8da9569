/// The most tokens that go through the model together, as far as a run has decided it.
struct PassLimits: Codable, Hashable {
    /// Of training passes; `nil` until it is decided.
    var training: Int?
    /// Of evaluations, after one ran out of memory.
    var evaluation: Int?

    /// What limits are chosen from.
    struct Sizes: Hashable {
        /// Tokens of the longest training example: one example is never divided.
        var longest: Int
        /// What the run's settings ask for.
        var chosen: Int?
        /// Tokens beyond which little is gained in speed.
        var preferred: Int
        /// The same for evaluations, where that is more: on a CPU nothing is kept there for a backward pass.
        var preferredInEvaluation: Int?

        /// Tokens of a training pass, if memory is no matter.
        var training: Int { max(longest, chosen ?? preferred) }

        /// The limit for evaluations beside training passes of up to `training` tokens: twice as much at most, where neither
        /// the settings nor the memory have set the limit.
        func evaluation(besides training: Int) -> Int {
            guard let preferredInEvaluation, chosen == nil, training >= self.training else { return training }
            return max(training, min(2 * training, preferredInEvaluation))
        }
    }

    /// The limit on a training pass: what was decided, or would be if memory were no matter.
    func training(of sizes: Sizes) -> Int { training ?? sizes.training }

    /// The limit on a pass of an evaluation.
    func evaluation(of sizes: Sizes) -> Int {
        min(sizes.evaluation(besides: training(of: sizes)), evaluation ?? .max)
    }

    /// Halves the largest pass of several examples, after one did not fit.
    /// - Returns: the tokens that it had; `nil` where each pass was one example already, and nothing is changed.
    mutating func halve(after passes: [Pass]) -> Int? {
        let largest = passes.filter { $0.exampleCount > 1 }.map(\.inputIDs.count).max()
        guard let largest else { return nil }
        training = max(1, largest / 2)
        return largest
    }

    /// The names in `run_state.json`.
    private enum CodingKeys: String, CodingKey {
        case training = "tokensPerPass"
        case evaluation = "evaluationTokensPerPass"
    }
}
