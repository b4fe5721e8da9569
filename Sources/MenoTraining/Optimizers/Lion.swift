internal import MenoTensor

/// Lion (Chen et al., 2023, arXiv:2302.06675):
/// p ← p − η · (sign(β₁m + (1 − β₁)g) + λ·p), then m ← β₂m + (1 − β₂)g, in float32.
final class Lion: Optimizer {
    private struct Slot {
        let parameter: OptimizedParameter
        let momentum: Tensor
    }

    private let beta1, beta2: Double
    private let slots: [Slot]

    init(_ parameters: [OptimizedParameter], beta1: Double, beta2: Double) throws {
        (self.beta1, self.beta2) = (beta1, beta2)
        slots = try parameters.map { Slot(parameter: $0, momentum: try $0.zeros()) }
    }

    var state: [(name: String, tensor: Tensor)] {
        slots.map { ("exp_avg.\($0.parameter.name)", $0.momentum) }.sorted { $0.0 < $1.0 }
    }

    func step(learningRate: Double) throws {
        try withoutGradient {
            for slot in slots {
                let parameter = slot.parameter.tensor
                guard let gradient = try parameter.gradient() else { continue }
                let direction = try (slot.momentum * beta1).add_(gradient, scale: 1 - beta1).sign()
                try parameter.mul_(1 - learningRate * slot.parameter.weightDecay)
                try parameter.add_(direction, scale: -learningRate)
                try slot.momentum.mul_(beta2).add_(gradient, scale: 1 - beta2)
            }
        }
    }
}
