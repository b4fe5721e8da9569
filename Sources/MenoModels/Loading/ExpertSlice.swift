internal import MenoFormats
internal import MenoTensor

/// The location of one expert's matrix in a tensor with those of all experts.
struct ExpertSlice: Sendable {
    var expert: Int
    /// The number of experts in the tensor.
    var count: Int
    /// The index of the matrix among those of an expert that are stored together.
    var part = 0
    var parts = 1
    /// Whether the rows of those matrices alternate.
    var takesTurns = false
    /// Whether they are `[in, out]`.
    var isTransposed = false

    /// The shape of the tensor that holds matrices or biases of this shape.
    func storedShape(_ shape: [Int]) -> [Int] {
        let both = [shape[0] * parts] + shape.dropFirst()
        return [count] + (isTransposed ? both.reversed() : both)
    }

    /// Whether a matrix of this shape is contiguous in the tensor.
    func isWhole(_ shape: [Int]) -> Bool { !takesTurns && !(isTransposed && shape.count > 1) }

    /// The elements of the tensor that hold a matrix or bias of this shape; if it is not contiguous, those of the complete
    /// expert.
    func elements(_ shape: [Int]) -> Range<Int> {
        let size = shape.reduce(1, *)
        guard isWhole(shape) else { return expert * parts * size..<(expert + 1) * parts * size }
        let start = (expert * parts + part) * size
        return start..<start + size
    }

    /// The matrix or bias of those elements.
    func taken(from values: Tensor, _ shape: [Int]) throws -> Tensor {
        guard !isWhole(shape) else { return try values.reshaped(shape) }
        let stored = storedShape(shape)
        var matrix = try values.reshaped(Array(stored.dropFirst()))
        if isTransposed, shape.count > 1 { matrix = try matrix.transposed() }
        let order = takesTurns ? [shape[0], parts] : [parts, shape[0]]
        return try matrix.reshaped(order + shape.dropFirst()).selected(part, along: takesTurns ? 1 : 0).contiguous()
    }

    /// The index in the tensor of one value of a matrix or bias.
    func place(row: Int, column: Int, _ shape: [Int]) -> Int {
        let (rows, columns) = (shape[0] * parts, shape.dropFirst().reduce(1, *))
        let inner = takesTurns ? row * parts + part : part * shape[0] + row
        return expert * rows * columns + (isTransposed ? column * rows + inner : inner * columns + column)
    }
}

extension WeightSource {
    /// A matrix or bias of one expert.
    func tensor(_ info: WeightInfo, _ slice: ExpertSlice, _ shape: [Int], dtype: DType) throws -> Tensor {
        let elements = slice.elements(shape)
        let values = try Tensor(uninitialized: [elements.count], dtype: dtype)
        try values.withMutableBytes { try read(info.name, elements: elements, as: .init(dtype), into: $0) }
        return try slice.taken(from: values, shape)
    }
}

extension WeightSource {
    /// A complete tensor as the file has it, in float32.
    func whole(_ info: WeightInfo) throws -> Tensor {
        let values = try Tensor(uninitialized: info.shape, dtype: .float32)
        try values.withMutableBytes { try read(info.name, as: .float32, into: $0) }
        return values
    }
}

extension WeightElementType {
    init(_ dtype: DType) {
        switch dtype {
        case .float32: self = .float32
        case .bfloat16: self = .bfloat16
        case .float16: self = .float16
        default: preconditionFailure("weights are read as floating-point numbers")
        }
    }
}
