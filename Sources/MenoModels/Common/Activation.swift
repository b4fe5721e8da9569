internal import MenoTensor

extension FeedForwardConfiguration.Activation {
    /// activation(gated) · raised.
    func gating(_ gated: Tensor, _ raised: Tensor) throws -> Tensor {
        if let fused, gated.hasFusedLayers { return try gated.gating(raised, fused) }
        return try callAsFunction(gated) * raised
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        switch self {
        case .silu: try x.silu()
        case .geluTanh: try x.geluTanh()
        case .gelu: try x.gelu()
        case .reluSquared: try x.relu().squared()
        case .xielu: preconditionFailure("an activation with weights is a module")
        }
    }

    /// The fused kernels' equivalent; `nil` where they have none.
    var fused: Tensor.GateActivation? {
        switch self {
        case .silu: .silu
        case .geluTanh: .geluTanh
        case .gelu, .reluSquared, .xielu: nil
        }
    }
}
