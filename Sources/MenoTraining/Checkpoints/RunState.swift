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
    /// What products with frozen weights are computed by, where there is a choice; other ones round otherwise.
    var products: String?

    init(settings: [String: String], randomStates: [String: Data], products: String? = nil, progress: RunProgress) {
        self.settings = settings
        self.randomStates = randomStates
        self.products = products
        self.progress = progress
    }

    /// The progress lies beside these, as it did before it was one value.
    private enum CodingKeys: CodingKey { case version, settings, randomStates, products }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(Int.self, forKey: .version)
        settings = try values.decode([String: String].self, forKey: .settings)
        randomStates = try values.decode([String: Data].self, forKey: .randomStates)
        products = try values.decodeIfPresent(String.self, forKey: .products)
        progress = try RunProgress(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        try values.encode(settings, forKey: .settings)
        try values.encode(randomStates, forKey: .randomStates)
        try values.encodeIfPresent(products, forKey: .products)
        try progress.encode(to: encoder)
    }
}
