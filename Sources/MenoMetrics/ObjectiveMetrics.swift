/// The metrics of an objective in addition to its loss, with TRL's names.
public enum ObjectiveMetric: String, Sendable, Hashable, CaseIterable, Codable {
    /// Mean of β (log p − log p of the reference) over the chosen completions, and over the rejected ones.
    case rewardsChosen = "rewards/chosen"
    case rewardsRejected = "rewards/rejected"
    /// The share of pairs whose chosen completion has the greater reward.
    case rewardAccuracies = "rewards/accuracies"
    /// Mean of the chosen reward minus the rejected one.
    case rewardMargins = "rewards/margins"
    /// Mean of log p of the completions, in nats.
    case logpsChosen = "logps/chosen"
    case logpsRejected = "logps/rejected"
    /// KTO's estimate of the divergence from the reference, in nats.
    case divergence = "kl"
    /// Mean negative log-likelihood of the chosen tokens, in nats.
    case likelihoodLoss = "nll_loss"
    /// ORPO's log σ(log odds) and log odds.
    case logOddsRatio = "log_odds_ratio"
    case logOddsChosen = "log_odds_chosen"
}

/// Values of some of ``ObjectiveMetric``.
public struct ObjectiveMetrics: Sendable, Hashable, Codable {
    package var values: [ObjectiveMetric: Double]

    package init(_ values: [ObjectiveMetric: Double] = [:]) { self.values = values }

    /// The value of a metric; `nil` if it was not measured.
    public subscript(metric: ObjectiveMetric) -> Double? { values[metric] }

    /// The values in the order of ``ObjectiveMetric``.
    package var ordered: [(metric: ObjectiveMetric, value: Double)] {
        ObjectiveMetric.allCases.compactMap { metric in values[metric].map { (metric, $0) } }
    }

    /// Reads values by their names.
    public init(from decoder: any Decoder) throws {
        self.init(try ObjectiveMetrics(from: decoder, prefix: "")?.values ?? [:])
    }

    /// Writes each value under its name.
    public func encode(to encoder: any Encoder) throws { try encode(to: encoder, prefix: "") }

    /// Writes each value under its name into an object that may have other keys.
    /// - Parameter prefix: `eval_`, or nothing.
    package func encode(to encoder: any Encoder, prefix: String) throws {
        var container = encoder.container(keyedBy: Name.self)
        for (metric, value) in ordered { try container.encode(value, forKey: Name(prefix + metric.rawValue)) }
    }

    /// Reads what ``encode(to:prefix:)`` writes.
    /// - Returns: `nil` if none of the names is there.
    package init?(from decoder: any Decoder, prefix: String) throws {
        let container = try decoder.container(keyedBy: Name.self)
        let keys = Dictionary(container.allKeys.map { ($0.plain, $0) }, uniquingKeysWith: { first, _ in first })
        values = [:]
        for metric in ObjectiveMetric.allCases {
            guard let key = keys[Name(prefix + metric.rawValue).plain] else { continue }
            values[metric] = try container.decodeIfPresent(Double.self, forKey: key)
        }
        if values.isEmpty { return nil }
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.init(stringValue) }
        init?(intValue: Int) { nil }

        /// The name in a form that is the same whether or not a decoder has converted it to camel case.
        var plain: String { stringValue.lowercased().replacing("_", with: "") }
    }
}
