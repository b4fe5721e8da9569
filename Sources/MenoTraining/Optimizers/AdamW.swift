internal import MenoTensor

/// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2017, arXiv:1711.05101).
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
/// p ← p − η·λ·p − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε), in float32.
final class AdamW: Optimizer {
    private struct Slot {
        let parameter: OptimizedParameter
        let firstMoment: Tensor
        let secondMoment: Tensor
        let step: Tensor
    }

    private let beta1, beta2, epsilon: Double
    private let slots: [Slot]

    init(_ parameters: [OptimizedParameter], beta1: Double, beta2: Double, epsilon: Double) throws {
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        slots = try parameters.map { parameter in
            Slot(
                parameter: parameter, firstMoment: try parameter.zeros(), secondMoment: try parameter.zeros(),
                step: try Tensor.zeros([], device: parameter.tensor.device))
        }
    }

    var state: [(name: String, tensor: Tensor)] {
        slots.sorted { $0.parameter.name < $1.parameter.name }.flatMap { slot in
            [
                ("exp_avg.\(slot.parameter.name)", slot.firstMoment),
                ("exp_avg_sq.\(slot.parameter.name)", slot.secondMoment), ("step.\(slot.parameter.name)", slot.step),
            ]
        }
    }

    func step(learningRate: Double) throws {
        try withoutGradient {
            // One fused call for all parameters of one decay.
            for (decay, slots) in Dictionary(grouping: slots, by: \.parameter.weightDecay) {
                try update(slots, learningRate: learningRate, weightDecay: decay)
            }
        }
    }

    private func update(_ slots: [Slot], learningRate: Double, weightDecay: Double) throws {
        let pairs = try slots.compactMap { slot in try slot.parameter.tensor.gradient().map { (slot, $0) } }
        guard !pairs.isEmpty else { return }
        _ = try Self.increment(.tensors(pairs.map(\.0.step)), .double(1))
        _ = try Self.fused(
            .tensors(pairs.map(\.0.parameter.tensor)), .tensors(pairs.map(\.1)), .tensors(pairs.map(\.0.firstMoment)),
            .tensors(pairs.map(\.0.secondMoment)), .tensors([]), .tensors(pairs.map(\.0.step)), .double(learningRate),
            .double(beta1), .double(beta2), .double(weightDecay), .double(epsilon), .bool(false), .bool(false))
    }

    private static let increment = Operator("aten::_foreach_add_", "Scalar")
    private static let fused = Operator("aten::_fused_adamw_")
}
