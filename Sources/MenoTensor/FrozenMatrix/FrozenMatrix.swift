/// A weight `[rows, columns]` that is multiplied, also transposed, and never changed.
///
/// How its values lie in memory is its own business. Whoever holds one asks for products, for rows and for its shape, and gets
/// float32, bfloat16 or float16 values.
public final class FrozenMatrix {
    /// How values lie in memory. The raw values are the names that the kernels know.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// One tensor of floating-point numbers.
        case dense
    }

    public let format: Format
    /// `[rows, columns]`.
    public let shape: [Int]
    /// What the kernels read, as ``format`` has it.
    let parts: [Tensor]

    /// A matrix of floating-point numbers.
    /// - Parameter values: `[rows, columns]`, in one of the floating-point types. They must not change as long as this lives.
    public init(_ values: Tensor) {
        precondition(values.rank == 2, "a matrix has two dimensions, not \(values.shape)")
        format = .dense
        shape = values.shape
        parts = [values]
    }

    public var rows: Int { shape[0] }
    public var columns: Int { shape[1] }
    /// The number of values.
    public var count: Int { rows * columns }
    public var device: Device { parts[0].device }
    /// Bytes in memory.
    public var byteCount: Int { parts.reduce(0) { $0 + $1.count * $1.dtype.size } }

    /// The values as one tensor, where they are that already.
    var dense: Tensor? { format == .dense ? parts[0] : nil }

    /// All values, `[rows, columns]`; dense ones of this type are not copied.
    public func values(_ dtype: DType) throws -> Tensor { try parts[0].to(dtype) }

    /// Some rows.
    /// - Parameter indices: `[count]`, int64, beside the matrix.
    /// - Returns: `[count, columns]`; in the type of a dense matrix.
    public func rows(at indices: Tensor) throws -> Tensor { try Tensor.embedding(parts[0], indices) }

    /// A matrix that holds other values in the same form.
    /// - Parameter values: `[rows, columns]`.
    public func holding(_ values: Tensor) throws -> FrozenMatrix {
        precondition(values.shape == shape)
        return FrozenMatrix(try values.to(parts[0].dtype).to(device))
    }
}

extension OperatorArgument {
    static func matrix(_ matrix: FrozenMatrix) -> OperatorArgument { .tensor(matrix.parts[0]) }
}
