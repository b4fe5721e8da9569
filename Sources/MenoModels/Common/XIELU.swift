internal import MenoTensor

/// xIELU (Huang and Schlag, 2024, arXiv:2411.13010): above zero p·x² + βx, else n·(exp(min(x, ε)) − 1 − x) + βx, where
/// p = softplus(αₚ) and n = β + softplus(αₙ) are learned.
final class XIELU {
    /// αₚ and αₙ, `[1]` each.
    private let positiveSlope, negativeSlope: Parameter
    /// β and ε, scalars that are never trained.
    private let linear, threshold: Parameter

    init(positiveSlope: Parameter, negativeSlope: Parameter, linear: Parameter, threshold: Parameter) {
        self.positiveSlope = positiveSlope
        self.negativeSlope = negativeSlope
        self.linear = linear
        self.threshold = threshold
    }

    func callAsFunction(_ input: Tensor) throws -> Tensor {
        let x = try input.to(.float32)
        let (beta, epsilon) = (try linear.tensor.item(), try threshold.tensor.item())
        let p = try positiveSlope.value(.float32).softplus()
        let n = try negativeSlope.value(.float32).softplus() + beta
        let above = try x.relu().squared() * p
        let below = try (x.clamped(nil, epsilon).expm1() - x) * n
        // The first part applies where x is above zero, the second elsewhere.
        let isAbove = try withoutGradient { try Tensor.zeros(x.shape, device: x.device).isLess(than: x) }
        return try (above + below.masked(by: isAbove, with: 0) + x * beta).to(input.dtype)
    }

    var parameters: [Parameter] { [positiveSlope, negativeSlope, linear, threshold] }
}
