package import MenoTensor

/// Changes parameters by their gradients.
package protocol Optimizer: AnyObject {
    /// Changes every parameter that has a gradient.
    func step(learningRate: Double) throws

    /// Everything that it remembers from step to step, float32, by names that depend on the parameters' names alone.
    var state: [(name: String, tensor: Tensor)] { get }
}

/// A parameter that an optimizer changes.
package struct OptimizedParameter {
    package let name: String
    /// A float32 leaf of autograd.
    package let tensor: Tensor
    /// λ of this parameter; 0 where it is not decayed.
    package let weightDecay: Double

    /// Biases and norms are not decayed, as `Trainer` groups them.
    init(name: String, tensor: Tensor, weightDecay: Double) {
        self.name = name
        self.tensor = tensor
        self.weightDecay = name.hasSuffix(".bias") || name.contains("norm") ? 0 : weightDecay
    }

    /// A zero of the parameter's shape.
    func zeros() throws -> Tensor { try Tensor.zeros(tensor.shape, device: tensor.device) }
}
