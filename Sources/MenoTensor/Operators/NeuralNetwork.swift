/// The building blocks of transformer networks.
extension Tensor {
    /// The matrix product, batched over leading dimensions.
    package func matmul(_ other: Tensor) throws -> Tensor { try ATen.matmul.one(.tensor(self), .tensor(other)) }

    /// The product of two matrices `[m, k] · [k, n]`.
    package func mm(_ other: Tensor) throws -> Tensor { try ATen.mm.one(.tensor(self), .tensor(other)) }

    /// The product, written into `destination` `[m, n]`, which must not be part of an autograd graph.
    package func mm(_ other: Tensor, into destination: Tensor) throws {
        _ = try ATen.mmOut(.tensor(self), .tensor(other), .tensor(destination))
    }

    /// x · Wᵀ + b for `x [..., in]`, `weight [out, in]`, `bias [out]`.
    package func linear(_ weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
        try ATen.linear.one(.tensor(self), .tensor(weight), .optional(bias))
    }

    /// Rows of an embedding table `[vocabulary, hidden]` for int64 indices of any shape.
    package static func embedding(_ table: Tensor, _ indices: Tensor) throws -> Tensor {
        try ATen.embedding.one(.tensor(table), .tensor(indices))
    }

    /// softmax(q · kᵀ · scale + mask) · v with libtorch's fused kernels.
    /// - Parameters:
    ///   - query: `[batch, heads, queries, headDimension]`.
    ///   - key: `[batch, heads, keys, headDimension]`.
    ///   - value: `[batch, heads, keys, headDimension]`.
    ///   - mask: `[..., queries, keys]`, bool (true: attend) or added; exclusive with `isCausal`.
    /// - Returns: `[batch, heads, queries, headDimension]`.
    package static func attention(
        query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false, scale: Double
    ) throws -> Tensor {
        try ATen.attention.one(
            .tensor(query), .tensor(key), .tensor(value), .optional(mask), .double(0), .bool(isCausal), .double(scale))
    }
}
