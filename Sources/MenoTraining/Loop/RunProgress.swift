/// What a run has reached. It is saved and restored whole.
///
/// With the seed, the step says where the data stand: every order is a function of both.
struct RunProgress: Codable {
    /// Optimizer steps done.
    var stepsDone = 0
    var best = BestModel()
    var log = StepLog()
    /// Steps in a row that were not applied, because something was not finite.
    var skippedSteps = 0
    /// Other passes would round differently.
    var passLimits = PassLimits()

    init() {}

    /// The names in `run_state.json`, beside those of ``PassLimits``.
    private enum CodingKeys: String, CodingKey {
        case stepsDone = "step"
        case best, log, skippedSteps
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        stepsDone = try values.decode(Int.self, forKey: .stepsDone)
        best = try values.decode(BestModel.self, forKey: .best)
        log = try values.decode(StepLog.self, forKey: .log)
        skippedSteps = try values.decode(Int.self, forKey: .skippedSteps)
        passLimits = try PassLimits(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(stepsDone, forKey: .stepsDone)
        try values.encode(best, forKey: .best)
        try values.encode(log, forKey: .log)
        try values.encode(skippedSteps, forKey: .skippedSteps)
        try passLimits.encode(to: encoder)
    }
}
