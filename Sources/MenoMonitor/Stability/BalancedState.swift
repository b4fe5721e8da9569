/// Whether training and evaluation are in balance: low ≤ gap ≤ high, total variance < 0.1 and variance ratio > 0.7, by
/// the configuration's bounds.
///
/// Source: `_is_balanced_state` of the seed's notebook, section 4.4.
public struct BalancedState: Sendable, Hashable, Codable {
    /// The gap lies in its range.
    public var hasGoodGap: Bool
    /// The total variance is small.
    public var hasSmallVariance: Bool
    /// The two variances are alike.
    public var hasBalancedVariance: Bool
    public var metrics: VarianceBiasMetrics

    public init(_ metrics: VarianceBiasMetrics, configuration: MonitorConfiguration) {
        self.metrics = metrics
        hasGoodGap = configuration.optimalGapRange.contains(metrics.lossGap)
        hasSmallVariance = metrics.totalVariance < configuration.balancedTotalVariance
        hasBalancedVariance = metrics.varianceRatio > configuration.balancedVarianceRatio
    }

    public var isBalanced: Bool { hasGoodGap && hasSmallVariance && hasBalancedVariance }
}
