package import MenoTensor

/// A weight of a model: frozen, or trained in float32.
package final class Parameter {
    private enum Values {
        /// A trained weight, or one that is not a matrix, such as a norm or a bias.
        case tensor(Tensor)
        case frozen(FrozenMatrix)
    }

    /// Its name in transformers, such as `model.layers.0.self_attn.q_proj.weight`.
    package let name: String
    private var values: Values
    /// Whether it is never trained, as transformers' buffers are not.
    let isBuffer: Bool

    /// A trained weight, which requires a gradient, or a frozen one that is not a matrix.
    package init(_ name: String, _ tensor: Tensor) {
        self.name = name
        isBuffer = false
        values = .tensor(tensor)
    }

    /// A value from the model's files that is never trained.
    init(buffer name: String, _ tensor: Tensor) {
        self.name = name
        values = .tensor(tensor)
        isBuffer = true
    }

    init(_ name: String, _ matrix: FrozenMatrix) {
        self.name = name
        isBuffer = false
        values = .frozen(matrix)
    }

    /// The frozen matrix; `nil` if the weight is trained or is not a matrix.
    package var matrix: FrozenMatrix? { if case .frozen(let matrix) = values { matrix } else { nil } }

    /// The weight as a tensor. Trained ones are float32 leaves of autograd.
    /// - Precondition: it is not a frozen matrix.
    package var tensor: Tensor {
        guard case .tensor(let tensor) = values else {
            preconditionFailure("\(name) is a frozen matrix, which has only products and rows")
        }
        return tensor
    }

    package var shape: [Int] {
        switch values {
        case .tensor(let tensor): tensor.shape
        case .frozen(let matrix): matrix.shape
        }
    }

    /// The number of values.
    package var count: Int { shape.reduce(1, *) }

    /// Bytes in memory.
    var byteCount: Int {
        switch values {
        case .tensor(let tensor): tensor.count * tensor.dtype.size
        case .frozen(let matrix): matrix.byteCount
        }
    }

    package var isTrained: Bool { if case .tensor(let tensor) = values { tensor.requiresGradient } else { false } }

    /// Turns a frozen weight into a trained one in float32.
    func train() throws { try train(value(.float32)) }

    /// Its module's full name.
    var module: String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name }

    /// Whether this weight belongs to a module whose full name in a standalone text model ends in `module`, which is how PEFT
    /// matches `modules_to_save`.
    func belongs(to module: String) -> Bool {
        ModuleNames.isOrHolds(module, self.module)
    }

    /// Replaces a frozen weight with a trained one of the same shape.
    func train(_ values: Tensor) throws {
        self.values = .tensor(try values.to(.float32).detached().requiringGradient())
    }

    /// Replaces the values of a frozen matrix.
    func freeze(_ values: Tensor) throws {
        guard let matrix else { preconditionFailure("\(name) is not a frozen matrix") }
        self.values = .frozen(try matrix.holding(values))
    }

    /// The weight, converted to `dtype`. The gradient of a trained weight flows through the conversion.
    func value(_ dtype: DType) throws -> Tensor {
        switch values {
        case .tensor(let tensor): try tensor.to(dtype)
        case .frozen(let matrix): try matrix.values(dtype)
        }
    }

    /// Some rows of a matrix; differentiable if it is trained.
    /// - Parameter indices: `[count]`, int64.
    func rows(at indices: Tensor) throws -> Tensor {
        switch values {
        case .tensor(let tensor): try Tensor.embedding(tensor, indices)
        case .frozen(let matrix): try matrix.rows(at: indices)
        }
    }
}
