/// Whether training and evaluation are in balance: low ≤ gap ≤ high, total variance < 0.1 and variance ratio > 0.7, by
/// the configuration's bounds.
///
/// Source: `_is_balanced_state` of the reference notebook, section 4.4.
package struct BalancedState: Sendable, Hashable, Codable {
    /// The gap lies in its range.
    package var hasGoodGap: Bool
    /// The total variance is small.
    package var hasSmallVariance: Bool
    /// The two variances are alike.
    package var hasBalancedVariance: Bool
    package var metrics: VarianceBiasMetrics

    package init(_ metrics: VarianceBiasMetrics, configuration: MonitorConfiguration) {
        self.metrics = metrics
        hasGoodGap = configuration.optimalGapRange.contains(metrics.lossGap)
        hasSmallVariance = metrics.totalVariance < configuration.balancedTotalVariance
        hasBalancedVariance = metrics.varianceRatio > configuration.balancedVarianceRatio
    }

    package var isBalanced: Bool { hasGoodGap && hasSmallVariance && hasBalancedVariance }
}
