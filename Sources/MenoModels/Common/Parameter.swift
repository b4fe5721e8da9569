public import MenoTensor

/// A weight of a model: frozen in the computing type, or trained in float32.
public final class Parameter {
    /// The name that transformers gives it, such as `model.layers.0.self_attn.q_proj.weight`.
    public let name: String
    /// The weight. Trained ones are float32 leaves of autograd.
    public private(set) var tensor: Tensor

    public init(_ name: String, _ tensor: Tensor) {
        self.name = name
        self.tensor = tensor
    }

    public var isTrained: Bool { tensor.requiresGradient }

    /// Makes a frozen weight a trained one, in float32.
    func train() throws { try train(tensor) }

    /// Its module's full name.
    var module: String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name }

    /// Whether this is a weight of a module whose full name, where its text model stands alone, ends like this one, as PEFT
    /// compares `modules_to_save`.
    func belongs(to module: String) -> Bool {
        ModuleNames.isOrHolds(module, self.module)
    }

    /// Replaces a frozen weight by a trained one of the same shape.
    func train(_ values: Tensor) throws { tensor = try values.to(.float32).detached().requiringGradient() }

    /// The weight in the type of a computation. The gradient of a trained one flows back through the conversion.
    func value(_ dtype: DType) throws -> Tensor { try tensor.to(dtype) }
}
