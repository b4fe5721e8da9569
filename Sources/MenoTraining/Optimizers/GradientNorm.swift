internal import MenoTensor

/// Gradients of all trained parameters taken together.
enum Gradients {
    private static let norms = Operator("aten::_foreach_norm", "Scalar")
    private static let scale = Operator("aten::_foreach_mul_", "Scalar")
    private static let stack = Operator("aten::stack")

    /// The norm √Σg² over every element of every gradient; 0 where there is none.
    ///
    /// libtorch divides a long sum over its threads, and adds what they have: on one thread, the order does not depend on how
    /// many there are. It is one pass over the gradients, which takes next to nothing of a step.
    static func norm(_ gradients: [Tensor]) throws -> Double {
        guard !gradients.isEmpty else { return 0 }
        return try withoutGradient {
            try Torch.withOneThread {
                let each = try norms(.tensors(gradients), .int(2), results: gradients.count).compactMap { $0 }
                return try stack(.tensors(each))[0]!.norm().item()
            }
        }
    }

    /// The norm of each, in float32.
    static func norms(of gradients: [Tensor]) throws -> [Float] {
        guard !gradients.isEmpty else { return [] }
        return try withoutGradient {
            try Torch.withOneThread {
                try norms(.tensors(gradients), .int(2), results: gradients.count).map { try $0!.to(.cpu).array()[0] }
            }
        }
    }

    /// The norm of all gradients from that of each; 0 where there is none.
    static func norm(ofNorms norms: [Float]) throws -> Double { norms.isEmpty ? 0 : try Tensor(norms).norm().item() }

    /// Scales gradients down so that their norm is at most `maximum`.
    ///
    /// The factor is maximum / (norm + 10⁻⁶), as PyTorch has it.
    static func clip(_ gradients: [Tensor], norm: Double, maximum: Double) throws {
        let factor = maximum / (norm + 1e-6)
        guard factor < 1, !gradients.isEmpty else { return }
        _ = try withoutGradient { try scale(.tensors(gradients), .double(factor)) }
    }
}
