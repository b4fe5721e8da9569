package import MenoTensor

/// The losses of a pass's targets.
package struct TokenLosses {
    /// Σ of ``values``, a scalar in float32; differentiable where gradients are on.
    package let sum: Tensor
    /// −log p(target), in nats, for each target; with label smoothing, the cross-entropy with the smoothed target.
    package let values: [Float]
    /// Whether each target was the most probable token.
    package let isCorrect: [Bool]
}
