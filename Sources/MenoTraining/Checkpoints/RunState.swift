internal import Foundation

/// Everything beside parameters and optimizer that a run needs to continue as if it had not been interrupted.
struct RunState: Codable {
    static let name = "run_state.json"

    var version = 1
    /// What the run means, key by key; another value is another run.
    var settings: [String: String]
    /// The generators of random numbers, by device.
    var randomStates: [String: Data]
    var progress: RunProgress

    init(settings: [String: String], randomStates: [String: Data], progress: RunProgress) {
        self.settings = settings
        self.randomStates = randomStates
        self.progress = progress
    }

    /// The progress lies beside these, as it did before it was one value.
    private enum CodingKeys: CodingKey { case version, settings, randomStates }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(Int.self, forKey: .version)
        settings = try values.decode([String: String].self, forKey: .settings)
        randomStates = try values.decode([String: Data].self, forKey: .randomStates)
        progress = try RunProgress(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        try values.encode(settings, forKey: .settings)
        try values.encode(randomStates, forKey: .randomStates)
        try progress.encode(to: encoder)
    }
}
