public import MenoTensor

/// What the targets of a pass cost.
public struct TokenLosses {
    /// Σ of ``values``, a scalar in float32; differentiable where gradients are on.
    public let sum: Tensor
    /// −log p(target), in nats, for each target; with label smoothing, the cross-entropy with the smoothed target.
    public let values: [Float]
    /// Whether each target was the most probable token.
    public let isCorrect: [Bool]
}
