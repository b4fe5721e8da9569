internal import MenoTensor

/// The optimizer and its hyperparameters, with the names and defaults of `TrainingArguments`.
public struct OptimizerOptions: Sendable, Hashable {
    /// `optim`.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case adamW = "adamw_torch"
        /// The same computation as ``adamW``, which is always fused.
        case fusedAdamW = "adamw_torch_fused"
        case sgd, adafactor, lion
    }

    /// The optimizer. Default AdamW.
    public var kind = Kind.adamW
    /// β₁ of AdamW and Lion. Default 0.9.
    public var beta1 = 0.9
    /// β₂ of AdamW and Lion. Default 0.999.
    public var beta2 = 0.999
    /// ε of AdamW. Default 1e-8.
    public var epsilon = 1e-8
    /// λ, the weight decay; biases and norms are exempt.
    public var weightDecay = 0.0

    /// - Parameters: see the properties.
    public init(
        kind: Kind = .adamW, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
    ) {
        self.kind = kind
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
    }

    /// An optimizer for some parameters, with empty state.
    func optimizer(of parameters: [(name: String, tensor: Tensor)]) throws -> any Optimizer {
        let parameters = parameters.map {
            OptimizedParameter(name: $0.name, tensor: $0.tensor, weightDecay: weightDecay)
        }
        return switch kind {
        case .adamW, .fusedAdamW: try AdamW(parameters, beta1: beta1, beta2: beta2, epsilon: epsilon)
        case .sgd: SGD(parameters)
        case .adafactor: try Adafactor(parameters)
        case .lion: try Lion(parameters, beta1: beta1, beta2: beta2)
        }
    }
}
