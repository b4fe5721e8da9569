/// The GGUF block formats whose scales are found by a search, as in llama.cpp. Their bytes depend neither on the processor nor on
/// the number of threads.
package enum BlockSearch: String, Sendable, CaseIterable {
    case Q4_K, Q5_K, Q6_K

    /// Encodes values as blocks.
    /// - Parameter values: the number of values must be a multiple of 256.
    package func blocks(of values: [Float]) throws -> Tensor {
        let size =
            switch self {
            case .Q4_K: 144
            case .Q5_K: 176
            case .Q6_K: 210
            }
        precondition(values.count % 256 == 0, "whole blocks are encoded")
        let blocks = try Tensor(uninitialized: [values.count / 256 * size], dtype: .uint8)
        _ = try Kernels.quantizeBlocks_([.tensor(Tensor(values)), .string(rawValue), .tensor(blocks)])
        return blocks
    }
}
