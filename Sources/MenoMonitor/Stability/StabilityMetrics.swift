/// How calm a run is, over its last `w` = `window_size` evaluations: the mean perplexity (1/w) Σ pᵢ, the standard deviation
/// of the evaluation loss √((1/w) Σ (ℓᵢ − ℓ̄)²) and the mean gradient norm (1/w) Σ gᵢ.
///
/// Source: `_calculate_stability_metrics` of the reference notebook, section 4.4. There the gradient norms were never
/// recorded; here they are those of the log, and fewer than `w` are averaged as they are.
package struct StabilityMetrics: Sendable, Hashable, Codable {
    /// Mean over the last `window_size` evaluations.
    package var perplexityMean: Double
    /// Population standard deviation over the last `window_size` evaluations, in nats.
    package var evaluationLossDeviation: Double
    /// Mean of the last `window_size` logged norms, or of as many as there are; `nil` where none was measured.
    package var gradientNormMean: Double?

    /// `nil` while there are fewer evaluations than the window takes.
    package init?(_ history: History, windowSize: Int) {
        self.init(
            perplexity: history.perplexity.recent(windowSize),
            evaluationLoss: history.evaluationLoss.recent(windowSize),
            gradientNorm: history.gradientNorm.recent(windowSize), windowSize: windowSize)
    }

    init?(perplexity: [Double], evaluationLoss: [Double], gradientNorm: [Double], windowSize: Int) {
        guard windowSize > 0, perplexity.count >= windowSize,
            let perplexityMean = Moments.mean(perplexity.suffix(windowSize)), perplexityMean.isFinite,
            let deviation = Moments.standardDeviation(evaluationLoss.suffix(windowSize)), deviation.isFinite
        else { return nil }
        self.perplexityMean = perplexityMean
        evaluationLossDeviation = deviation
        gradientNormMean = Moments.mean(gradientNorm.suffix(windowSize)).flatMap { $0.isFinite ? $0 : nil }
    }

    private enum CodingKeys: String, CodingKey {
        case perplexityMean = "perplexity_mean"
        case evaluationLossDeviation = "eval_loss_std"
        case gradientNormMean = "grad_norm_mean"
    }
}
