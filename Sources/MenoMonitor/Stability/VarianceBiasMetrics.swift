/// How far training and evaluation loss lie apart, and how much each moves, over the last `w` = `variance_bias_window`
/// values of each: gap = ē − t̄, variances (1/w) Σ (x − x̄)², total variance = (var t + var e) / 2.
///
/// Source: `_calculate_variance_bias_metrics` of the reference notebook, section 4.4.
package struct VarianceBiasMetrics: Sendable, Hashable, Codable {
    /// Mean evaluation loss − mean training loss, in nats.
    package var lossGap: Double
    /// Population variance.
    package var trainVariance: Double
    /// Population variance.
    package var evaluationVariance: Double
    /// The mean of the two variances.
    package var totalVariance: Double

    /// Over the last `window` values of each series; `nil` while one of them has fewer.
    package init?(_ history: History, window: Int) {
        self.init(
            trainLoss: history.trainLoss.recent(window), evaluationLoss: history.evaluationLoss.recent(window),
            window: window)
    }

    init?(trainLoss: [Double], evaluationLoss: [Double], window: Int) {
        guard window > 0, trainLoss.count >= window, evaluationLoss.count >= window,
            let trainMean = Moments.mean(trainLoss.suffix(window)),
            let evaluationMean = Moments.mean(evaluationLoss.suffix(window)),
            let trainVariance = Moments.variance(trainLoss.suffix(window)),
            let evaluationVariance = Moments.variance(evaluationLoss.suffix(window))
        else { return nil }
        lossGap = evaluationMean - trainMean
        self.trainVariance = trainVariance
        self.evaluationVariance = evaluationVariance
        totalVariance = (trainVariance + evaluationVariance) / 2
        guard lossGap.isFinite, totalVariance.isFinite else { return nil }
    }

    /// The smaller variance divided by the larger, 0…1; 1 where both are zero, where the notebook divides by zero.
    package var varianceRatio: Double {
        let largest = max(trainVariance, evaluationVariance)
        return largest == 0 ? 1 : min(trainVariance, evaluationVariance) / largest
    }

    private enum CodingKeys: String, CodingKey {
        case lossGap = "loss_gap"
        case trainVariance = "train_variance"
        case evaluationVariance = "eval_variance"
        case totalVariance = "total_variance"
    }
}
