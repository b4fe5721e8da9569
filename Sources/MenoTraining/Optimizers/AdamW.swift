public import MenoTensor

/// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter, 2017, arXiv:1711.05101).
///
/// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
/// p ← p − η·λ·p − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε), in float32.
public final class AdamW: Optimizer {
    public struct Options: Sendable, Hashable {
        public var beta1 = 0.9
        public var beta2 = 0.999
        public var epsilon = 1e-8
        /// λ; not applied to biases and norms.
        public var weightDecay = 0.0

        public init(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0) {
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
        }
    }

    private struct Slot {
        let name: String
        let parameter: Tensor
        let firstMoment: Tensor
        let secondMoment: Tensor
        let step: Tensor
    }

    private let options: Options
    private let decayed: [Slot]
    private let undecayed: [Slot]

    /// - Parameters:
    ///   - parameters: named float32 leaves.
    ///   - decays: whether a parameter of this name is subject to weight decay.
    public init(
        _ parameters: [(name: String, tensor: Tensor)], options: Options, decays: (String) -> Bool
    ) throws {
        self.options = options
        let slot = { (name: String, tensor: Tensor) in
            Slot(
                name: name, parameter: tensor, firstMoment: try Tensor.zeros(tensor.shape, device: tensor.device),
                secondMoment: try Tensor.zeros(tensor.shape, device: tensor.device),
                step: try Tensor.zeros([], device: tensor.device))
        }
        decayed = try parameters.filter { decays($0.name) }.map(slot)
        undecayed = try parameters.filter { !decays($0.name) }.map(slot)
    }

    public var state: [(name: String, tensor: Tensor)] {
        (decayed + undecayed).sorted { $0.name < $1.name }.flatMap { slot in
            [
                ("exp_avg.\(slot.name)", slot.firstMoment), ("exp_avg_sq.\(slot.name)", slot.secondMoment),
                ("step.\(slot.name)", slot.step),
            ]
        }
    }

    public func step(learningRate: Double) throws {
        try withoutGradient {
            try update(decayed, learningRate: learningRate, weightDecay: options.weightDecay)
            try update(undecayed, learningRate: learningRate, weightDecay: 0)
        }
    }

    private func update(_ slots: [Slot], learningRate: Double, weightDecay: Double) throws {
        let pairs = try slots.compactMap { slot in try slot.parameter.gradient().map { (slot, $0) } }
        guard !pairs.isEmpty else { return }
        for (slot, _) in pairs { try slot.step.add_(Self.one(on: slot.step.device)) }
        _ = try Self.fused(
            .tensors(pairs.map(\.0.parameter)), .tensors(pairs.map(\.1)), .tensors(pairs.map(\.0.firstMoment)),
            .tensors(pairs.map(\.0.secondMoment)), .tensors([]), .tensors(pairs.map(\.0.step)), .double(learningRate),
            .double(options.beta1), .double(options.beta2), .double(weightDecay), .double(options.epsilon),
            .bool(false), .bool(false))
    }

    private static let fused = Operator("aten::_fused_adamw_")
    private static func one(on device: Device) throws -> Tensor { try Tensor([Float(1)], shape: [], device: device) }
}
