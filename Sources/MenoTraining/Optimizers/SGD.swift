internal import MenoTensor

/// Plain gradient descent, p ← p − η · (g + λ·p), as `optim: sgd` of `Trainer`: without momentum.
final class SGD: Optimizer {
    private let parameters: [OptimizedParameter]

    init(_ parameters: [OptimizedParameter]) { self.parameters = parameters }

    var state: [(name: String, tensor: Tensor)] { [] }

    func step(learningRate: Double) throws {
        try withoutGradient {
            for parameter in parameters {
                guard let gradient = try parameter.tensor.gradient() else { continue }
                try parameter.tensor.mul_(1 - learningRate * parameter.weightDecay)
                try parameter.tensor.add_(gradient, scale: -learningRate)
            }
        }
    }
}
