/// A weight `[rows, columns]` used in products, also transposed, that never changes.
///
/// Its layout in memory is private. Users ask for products, rows and its shape, and get float32, bfloat16 or float16
/// values. Packed values stay packed: kernels decode them as they multiply.
package final class FrozenMatrix {
    /// How values lie in memory. The raw values are the names that the kernels know (`Sources/CMenoKernels/Kernels/Packing.h`).
    package enum Format: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
        /// One tensor of floating-point numbers.
        case dense
        /// Blocks of a GGUF file, by ggml's names.
        case F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4
        /// Integers of eight bits with a scale for each row, as bitsandbytes has them (without LLM.int8's outliers).
        case int8
        /// Four bits with a scale for 64 values, as bitsandbytes has them (NF4 and FP4); in nested ones the scales have eight bits.
        case fourBits = "four_bits"
        case nestedFourBits = "four_bits_nested"

        package var description: String {
            switch self {
            case .fourBits: "four bits"
            case .nestedFourBits: "four bits, double quantised"
            default: rawValue
            }
        }
    }

    package let format: Format
    /// `[rows, columns]`.
    package let shape: [Int]
    /// What the kernels read, as ``format`` has it.
    let parts: [Tensor]

    /// A matrix of floating-point numbers.
    /// - Parameter values: `[rows, columns]`, in one of the floating-point types. They must not change as long as this lives.
    package init(_ values: Tensor) {
        precondition(values.rank == 2, "a matrix has two dimensions, not \(values.shape)")
        format = .dense
        shape = values.shape
        parts = [values]
    }

    /// A packed matrix on the CPU.
    /// - Parameters:
    ///   - format: not ``Format/dense``.
    ///   - parts: what the format consists of, first the packed values as bytes `[rows, bytes of a row]`.
    ///   - columns: a multiple of 32.
    /// - Throws: ``TorchError`` where the parts do not fit together.
    package init(packed parts: [Tensor], format: Format, columns: Int) throws {
        precondition(format != .dense && !parts.isEmpty)
        self.format = format
        self.parts = parts
        shape = [parts[0].size(0), columns]
        // Decoding no row checks all parts.
        let width = try unpacked(rows: Tensor([Int64]()), .float32).size(1)
        guard width == columns else {
            throw TorchError(
                .invalid, at: "packed matrix", "rows of \(parts[0].size(1)) bytes hold \(width) values, not \(columns)")
        }
    }

    package var rows: Int { shape[0] }
    package var columns: Int { shape[1] }
    /// The number of values.
    package var count: Int { rows * columns }
    package var isPacked: Bool { format != .dense }
    package var device: Device { parts[0].device }
    /// Bytes in memory.
    package var byteCount: Int { parts.reduce(0) { $0 + $1.count * $1.dtype.size } }

    /// The values as one tensor, where they are that already.
    var dense: Tensor? { isPacked ? nil : parts[0] }

    /// All values, `[rows, columns]`; dense ones of this type are not copied.
    package func values(_ dtype: DType) throws -> Tensor {
        guard isPacked else { return try parts[0].to(dtype) }
        return try unpacked(rows: nil, dtype == .bfloat16 ? .bfloat16 : .float32).to(dtype)
    }

    /// Some rows.
    /// - Parameter indices: `[count]`, int64, beside the matrix.
    /// - Returns: `[count, columns]`; in the type of a dense matrix, in float32 of a packed one.
    package func rows(at indices: Tensor) throws -> Tensor {
        guard isPacked else { return try Tensor.embedding(parts[0], indices) }
        return try unpacked(rows: indices, .float32)
    }

    /// A dense matrix of other values, in the type that rows have.
    /// - Parameter values: `[rows, columns]`.
    package func holding(_ values: Tensor) throws -> FrozenMatrix {
        precondition(values.shape == shape)
        return FrozenMatrix(try values.to(isPacked ? .float32 : parts[0].dtype).to(device))
    }

    private func unpacked(rows: Tensor?, _ dtype: DType) throws -> Tensor {
        try Kernels.unpackRows.one(.tensors(parts), .string(format.rawValue), .optional(rows), .dtype(dtype))
    }

    /// As operators take it: its parts and the name of its format.
    var arguments: [OperatorArgument] { [.tensors(parts), .string(format.rawValue)] }
}
