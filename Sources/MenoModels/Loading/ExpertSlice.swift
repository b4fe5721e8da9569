internal import MenoFormats
internal import MenoTensor

/// Where a matrix of one expert lies in a tensor that has those of all.
struct ExpertSlice: Sendable {
    var expert: Int
    /// Of all experts in the tensor.
    var count: Int
    /// Which of the matrices of an expert it is that lie there together.
    var part = 0
    var parts = 1
    /// Whether each expert's are `[in, parts · out]`, where the parts take turns, instead of `[parts · out, in]`.
    var isTransposed = false

    /// The shape of the tensor that has matrices or biases of this shape.
    func storedShape(_ shape: [Int]) -> [Int] {
        let both = [shape[0] * parts] + shape.dropFirst()
        return [count] + (isTransposed ? both.reversed() : both)
    }

    /// The elements of the tensor that hold a matrix or bias of this shape alone, or the whole expert where parts take turns.
    func elements(_ shape: [Int]) -> Range<Int> {
        let size = shape.reduce(1, *)
        if isTransposed { return expert * parts * size..<(expert + 1) * parts * size }
        let start = (expert * parts + part) * size
        return start..<start + size
    }

    /// The matrix or bias of those elements.
    func taken(from values: Tensor, _ shape: [Int]) throws -> Tensor {
        guard isTransposed else { return try values.reshaped(shape) }
        let turns = try values.reshaped(shape.dropFirst() + [shape[0], parts]).selected(part, along: -1)
        return try (shape.count > 1 ? turns.transposed() : turns).contiguous()
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
