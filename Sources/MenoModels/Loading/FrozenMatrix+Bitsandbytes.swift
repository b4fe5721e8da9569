internal import MenoFormats
internal import MenoTensor

extension FrozenMatrix {
    /// A matrix quantised by bitsandbytes, in the layout of its file.
    /// - Parameter readCodes: fills a buffer with the codes.
    /// - Returns: `nil` if the kernels do not support the block sizes; they expect 64 values per scale and 256 scales per
    ///   second-level scale.
    static func quantized(
        _ matrix: QuantizedMatrix, readCodes: (UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> FrozenMatrix? {
        let (rows, columns) = (matrix.shape[0], matrix.shape[1])
        guard quantizes(matrix.shape) else { return nil }
        func codes(_ bytes: Int) throws -> Tensor {
            let tensor = try Tensor(uninitialized: [rows, bytes], dtype: .uint8)
            try tensor.withMutableBytes(readCodes)
            return tensor
        }
        switch (matrix.kind, matrix.scales) {
        case (.eightBits, .plain(let scales)):
            return try FrozenMatrix(packed: [codes(columns), Tensor(scales)], format: .int8, columns: columns)
        case (.fourBits(let codebook), .plain(let scales)) where matrix.block == block:
            return try FrozenMatrix(
                packed: [codes(columns / 2), Tensor(codebook), Tensor(scales)], format: .fourBits, columns: columns)
        case (.fourBits(let codebook), .nested(let scaleCodes, let scaleCodebook, let scales, let offset))
        where matrix.block == block && matrix.nestedBlock == nestedBlock:
            return try FrozenMatrix(
                packed: [
                    codes(columns / 2), Tensor(codebook), Tensor(scaleCodes), Tensor(scaleCodebook), Tensor(scales),
                    Tensor([offset]),
                ], format: .nestedFourBits, columns: columns)
        default: return nil
        }
    }
}
