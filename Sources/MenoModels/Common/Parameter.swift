package import MenoTensor

/// A weight of a model: frozen, or trained in float32.
package final class Parameter {
    private enum Values {
        /// Trained, or no matrix: norms and biases.
        case tensor(Tensor)
        case frozen(FrozenMatrix)
    }

    /// The name that transformers gives it, such as `model.layers.0.self_attn.q_proj.weight`.
    package let name: String
    private var values: Values
    /// Whether it is never trained, as transformers' buffers are not.
    let isBuffer: Bool

    /// A trained weight, which requires a gradient, or a frozen one that is no matrix.
    package init(_ name: String, _ tensor: Tensor) {
        self.name = name
        isBuffer = false
        values = .tensor(tensor)
    }

    /// A value that belongs to the model's files, and is never trained.
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

    /// The frozen matrix; `nil` where it is trained, or no matrix.
    package var matrix: FrozenMatrix? { if case .frozen(let matrix) = values { matrix } else { nil } }

    /// The weight as a tensor. Trained ones are float32 leaves of autograd.
    /// - Precondition: it is no frozen matrix.
    package var tensor: Tensor {
        guard case .tensor(let tensor) = values else {
            preconditionFailure("\(name) is a frozen matrix: ask it for products and rows")
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

    /// Makes a frozen weight a trained one, in float32.
    func train() throws { try train(value(.float32)) }

    /// Its module's full name.
    var module: String { name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name }

    /// Whether this is a weight of a module whose full name, where its text model stands alone, ends like this one, as PEFT
    /// compares `modules_to_save`.
    func belongs(to module: String) -> Bool {
        ModuleNames.isOrHolds(module, self.module)
    }

    /// Replaces a frozen weight by a trained one of the same shape.
    func train(_ values: Tensor) throws {
        self.values = .tensor(try values.to(.float32).detached().requiringGradient())
    }

    /// Gives a frozen matrix other values.
    func freeze(_ values: Tensor) throws {
        guard let matrix else { preconditionFailure("\(name) is no frozen matrix") }
        self.values = .frozen(try matrix.holding(values))
    }

    /// The weight in the type of a computation. The gradient of a trained one flows back through the conversion.
    func value(_ dtype: DType) throws -> Tensor {
        switch values {
        case .tensor(let tensor): try tensor.to(dtype)
        case .frozen(let matrix): try matrix.values(dtype)
        }
    }

    /// Some rows of a matrix. Those of a trained one are differentiable.
    /// - Parameter indices: `[count]`, int64.
    func rows(at indices: Tensor) throws -> Tensor {
        switch values {
        case .tensor(let tensor): try Tensor.embedding(tensor, indices)
        case .frozen(let matrix): try matrix.rows(at: indices)
        }
    }
}
