internal import Foundation
internal import MenoTensor

/// Adafactor (Shazeer and Stern, 2018, arXiv:1804.04235) as `optim: adafactor` of `Trainer` sets it up: the rate is the
/// schedule's own, neither scaled by the parameters nor relative to the step, and there is no first moment.
///
/// v is kept as the means of its rows and columns for parameters of two dimensions. With β₂ = 1 − t^−0.8 and
/// u = g / √v: p ← p − η·λ·p − η · u / max(1, rms(u)).
final class Adafactor: Optimizer {
    private struct Slot {
        let parameter: OptimizedParameter
        /// Means of g² over columns and over rows where the parameter is a matrix; else g² itself.
        let moments: [Tensor]
        /// Steps done, a scalar.
        let step: Tensor
    }

    /// Added to g².
    private static let epsilon = 1e-30
    private static let decayPower = -0.8
    private let slots: [Slot]

    init(_ parameters: [OptimizedParameter]) throws {
        slots = try parameters.map { parameter in
            let shape = parameter.tensor.shape
            let shapes = shape.count == 2 ? [[shape[0]], [shape[1]]] : [shape]
            return Slot(
                parameter: parameter,
                moments: try shapes.map { try Tensor.zeros($0, device: parameter.tensor.device) },
                step: try Tensor.zeros([]))
        }
    }

    var state: [(name: String, tensor: Tensor)] {
        slots.sorted { $0.parameter.name < $1.parameter.name }.flatMap { slot in
            let names = slot.moments.count == 2 ? ["exp_avg_sq_row", "exp_avg_sq_col"] : ["exp_avg_sq"]
            return zip(names, slot.moments).map { ("\($0).\(slot.parameter.name)", $1) }
                + [("step.\(slot.parameter.name)", slot.step)]
        }
    }

    func step(learningRate: Double) throws {
        try withoutGradient {
            for slot in slots {
                guard let gradient = try slot.parameter.tensor.gradient() else { continue }
                try update(slot, gradient, learningRate: learningRate)
            }
        }
    }

    private func update(_ slot: Slot, _ gradient: Tensor, learningRate: Double) throws {
        try slot.step.add_(Tensor([Float(1)], shape: []))
        let beta = 1 - pow(try slot.step.item(), Self.decayPower)
        let squares = try gradient.squared() + Self.epsilon
        let inverseRoot: Tensor
        if slot.moments.count == 2 {
            let (rows, columns) = (slot.moments[0], slot.moments[1])
            try rows.mul_(beta).add_(squares.mean(along: [1]), scale: 1 - beta)
            try columns.mul_(beta).add_(squares.mean(along: [0]), scale: 1 - beta)
            inverseRoot =
                try (rows / rows.mean(along: [0], keepingDimensions: true)).rsqrt().unsqueezed(1)
                * columns.rsqrt().unsqueezed(0)
        } else {
            try slot.moments[0].mul_(beta).add_(squares, scale: 1 - beta)
            inverseRoot = try slot.moments[0].rsqrt()
        }
        let direction = try inverseRoot * gradient
        let rootMeanSquare = try direction.norm().item() / Double(direction.count).squareRoot()
        let parameter = slot.parameter.tensor
        try parameter.mul_(1 - learningRate * slot.parameter.weightDecay)
        try parameter.add_(direction, scale: -learningRate / max(1, rootMeanSquare))
    }
}
