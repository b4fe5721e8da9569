internal import Foundation

/// Everything beside parameters and optimizer that a run needs to go on as if it had not been cut.
struct RunState: Codable {
    static let name = "run_state.json"

    var version = 1
    /// Optimizer steps done. With the seed it tells where the data stand: every order is a function of both.
    var step: Int
    /// What the run means, key by key; another value is another run.
    var settings: [String: String]
    /// The most tokens of a pass, where memory decided it.
    var tokensPerPass: Int?
    /// The generators of random numbers, by device.
    var randomStates: [String: Data]
    var best: BestModel
    var log: StepLog
    /// Steps in a row that were not applied, because something was not finite.
    var skippedSteps: Int
}
