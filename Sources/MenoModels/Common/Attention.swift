internal import MenoTensor

/// Multi-head attention with grouped keys and values over packed sequences.
final class Attention {
    let query: Linear
    let key: Linear
    let value: Linear
    let output: Linear
    let queryNorm: RMSNorm?
    let keyNorm: RMSNorm?
    private let configuration: DecoderConfiguration
    private let slidingWindow: Int?

    init(
        query: Linear, key: Linear, value: Linear, output: Linear, queryNorm: RMSNorm?, keyNorm: RMSNorm?,
        configuration: DecoderConfiguration, slidingWindow: Int?
    ) {
        self.query = query
        self.key = key
        self.value = value
        self.output = output
        self.queryNorm = queryNorm
        self.keyNorm = keyNorm
        self.configuration = configuration
        self.slidingWindow = slidingWindow
    }

    /// - Parameters:
    ///   - input: `[tokens, hidden]`.
    ///   - context: positions, masks and lengths shared by all layers.
    ///   - cache: keys and values of earlier tokens of the one sequence in `input`, where text is generated.
    /// - Returns: `[tokens, hidden]`.
    func callAsFunction(_ input: Tensor, context: AttentionContext, cache: LayerCache?) throws -> Tensor {
        let tokens = input.size(0)
        let dimension = configuration.headDimension
        let rotation = try context.rotation(slidingWindow: slidingWindow)
        var q = try query(input, context: context).reshaped([tokens, configuration.headCount, dimension])
        var k = try key(input, context: context).reshaped([tokens, configuration.keyValueHeadCount, dimension])
        let v = try value(input, context: context).reshaped([tokens, configuration.keyValueHeadCount, dimension])
        if let queryNorm, let keyNorm {
            q = try queryNorm(q)
            k = try keyNorm(k)
        }
        q = try RotaryEmbedding.apply(q, cos: rotation.cos, sin: rotation.sin)
        k = try RotaryEmbedding.apply(k, cos: rotation.cos, sin: rotation.sin)
        let attended =
            if let cache {
                try attendToCache(query: q, key: k, value: v, cache: cache, context: context)
            } else {
                try attend(query: q, key: k, value: v, context: context)
            }
        return try output(attended.reshaped([tokens, configuration.headCount * dimension]), context: context)
    }

    /// Every sequence attends to itself. `[tokens, heads, headDimension]` in and out.
    private func attend(query: Tensor, key: Tensor, value: Tensor, context: AttentionContext) throws -> Tensor {
        let layout = context.layout
        if query.hasPackedAttention(softcap: configuration.attentionSoftcap) {
            return try Tensor.packedAttention(
                query: query, key: key, value: value, boundaries: context.boundaries(), window: slidingWindow,
                scale: configuration.attentionScale, softcap: configuration.attentionSoftcap)
        }
        precondition(layout.sharedPrefix == 0, "only packed attention takes a common beginning")
        if let length = layout.uniformLength {
            let batch = layout.lengths.count
            let split = { (x: Tensor) in try x.reshaped([batch, length, x.size(1), x.size(2)]).transposed(1, 2) }
            let result = try scores(
                split(query), split(key), split(value), queries: length, keys: length, context: context)
            return try result.transposed(1, 2).reshaped(query.shape)
        }
        let split = { (x: Tensor) in
            try x.transposed(0, 1).unsqueezed(0).split(sizes: layout.lengths, along: 2)
        }
        let (queries, keys, values) = try (split(query), split(key), split(value))
        let results = try layout.lengths.indices.map { index in
            let length = layout.lengths[index]
            return try scores(
                queries[index], keys[index], values[index], queries: length, keys: length, context: context)
        }
        return try Tensor.concatenated(results, along: 2).squeezed(0).transposed(0, 1)
    }

    /// New tokens of one sequence attend to those before them and to themselves.
    private func attendToCache(
        query: Tensor, key: Tensor, value: Tensor, cache: LayerCache, context: AttentionContext
    ) throws -> Tensor {
        let (keys, values) = try cache.append(keys: key, values: value)
        let split = { (x: Tensor) in try x.transposed(0, 1).unsqueezed(0) }
        let result = try scores(
            split(query), split(keys), split(values), queries: query.size(0), keys: keys.size(0), context: context)
        return try result.squeezed(0).transposed(0, 1)
    }

    /// `[batch, heads, queries, headDimension]`; the last query is the last key.
    ///
    /// Where a window hides most keys, queries go in blocks, each with the keys that one of them sees: kernels compute what a
    /// mask hides.
    private func scores(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, queries: Int, keys: Int, context: AttentionContext
    ) throws -> Tensor {
        guard let window = slidingWindow, queries == keys, keys > window else {
            return try block(query, key, value, queries: queries, keys: keys, context: context)
        }
        let size = max(1, window / 2)
        let results = try stride(from: 0, to: queries, by: size).map { start in
            let (first, end) = (max(0, start - window), min(start + size, queries))
            return try block(
                query.narrowed(2, start: start, count: end - start), key.narrowed(2, start: first, count: end - first),
                value.narrowed(2, start: first, count: end - first), queries: end - start, keys: end - first,
                context: context)
        }
        return try Tensor.concatenated(results, along: 2)
    }

    /// ``scores(_:_:_:queries:keys:context:)`` of queries that all meet all keys.
    private func block(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, queries: Int, keys: Int, context: AttentionContext
    ) throws -> Tensor {
        let key = try repeated(key)
        let value = try repeated(value)
        let needsWindow = slidingWindow.map { keys > $0 } ?? false
        if let cap = configuration.attentionSoftcap {
            var logits = try (query * configuration.attentionScale).matmul(key.transposed(-1, -2))
            logits = try (logits / cap).tanh() * cap
            let hidden = try context.hidden(queries: queries, keys: keys, window: needsWindow ? slidingWindow : nil)
            let weights = try logits.masked(by: hidden, with: -.infinity).softmax(along: -1, dtype: .float32)
            return try weights.to(query.dtype).matmul(value)
        }
        let isCausal = !needsWindow && queries == keys
        let mask =
            isCausal || (queries == 1 && !needsWindow)
            ? nil : try context.visible(queries: queries, keys: keys, window: needsWindow ? slidingWindow : nil)
        return try Tensor.attention(
            query: query, key: key, value: value, mask: mask, isCausal: isCausal, scale: configuration.attentionScale)
    }

    /// Keys or values `[batch, keyValueHeads, length, headDimension]`, one for each query head.
    private func repeated(_ heads: Tensor) throws -> Tensor {
        let groups = configuration.headCount / configuration.keyValueHeadCount
        guard groups > 1 else { return heads }
        let (batch, count, length, dimension) = (heads.size(0), heads.size(1), heads.size(2), heads.size(3))
        return try heads.unsqueezed(2).expanded([batch, count, groups, length, dimension])
            .reshaped([batch, count * groups, length, dimension])
    }

    var linears: [(name: String, linear: Linear)] {
        [("q_proj", query), ("k_proj", key), ("v_proj", value), ("o_proj", output)]
    }
}
