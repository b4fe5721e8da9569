public import MenoTensor

/// Changes parameters by their gradients.
public protocol Optimizer: AnyObject {
    /// Changes every parameter that has a gradient.
    func step(learningRate: Double) throws

    /// Everything that it remembers from step to step, float32, by names that depend on the parameters' names alone.
    var state: [(name: String, tensor: Tensor)] { get }
}
