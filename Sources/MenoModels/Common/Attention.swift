internal import MenoTensor

/// Multi-head attention with grouped keys and values over packed sequences.
final class Attention {
    /// The layers that compute queries, keys and values from the input.
    enum Inputs {
        case apart(query: Linear, key: Linear, value: Linear)
        /// One layer whose output is their concatenation.
        case fused(Linear)
    }

    private let inputs: Inputs
    private let output: Linear
    private let queryNorm: Norm?
    private let keyNorm: Norm?
    private let rotary: RotaryEmbedding?
    /// The score of each head's attention sink, `[heads]`.
    let sinks: Parameter?
    private let configuration: AttentionConfiguration

    init(
        inputs: Inputs, output: Linear, queryNorm: Norm?, keyNorm: Norm?, rotary: RotaryEmbedding?,
        sinks: Parameter?, configuration: AttentionConfiguration
    ) {
        self.inputs = inputs
        self.output = output
        self.queryNorm = queryNorm
        self.keyNorm = keyNorm
        self.rotary = rotary
        self.sinks = sinks
        self.configuration = configuration
    }

    private var slidingWindow: Int? { configuration.slidingWindow }

    /// - Parameters:
    ///   - input: `[tokens, hidden]`.
    ///   - context: positions, masks and lengths shared by all layers.
    ///   - caches: keys and values of earlier tokens of each sequence in `input`, in generation; otherwise empty.
    /// - Returns: `[tokens, hidden]`.
    func callAsFunction(_ input: Tensor, context: AttentionContext, caches: [LayerCache]) throws -> Tensor {
        let projected = try projections(input, context)
        let angles = try rotary.map { try context.angles($0) }
        var q = try prepared(projected.query, heads: configuration.headCount, norm: queryNorm, angles)
        if let growth = try configuration.queryGrowth.flatMap({ try context.growth($0) }) {
            q = try q * growth.to(q.dtype)
        }
        let k = try prepared(projected.key, heads: configuration.keyValueHeadCount, norm: keyNorm, angles)
        let v = try heads(clipped(projected.value), configuration.keyValueHeadCount)
        let attended =
            if caches.isEmpty {
                try attend(query: q, key: k, value: v, context: context)
            } else {
                try attendToCaches(query: q, key: k, value: v, caches: caches, context: context)
            }
        return try output(
            attended.reshaped([input.size(0), configuration.headCount * configuration.headDimension]), context: context)
    }

    /// `[tokens, heads · headDimension]` each.
    private func projections(
        _ input: Tensor, _ context: AttentionContext
    ) throws -> (query: Tensor, key: Tensor, value: Tensor) {
        switch inputs {
        case .apart(let query, let key, let value):
            return try (query(input, context: context), key(input, context: context), value(input, context: context))
        case .fused(let linear):
            let keys = configuration.keyValueHeadCount * configuration.headDimension
            let sizes = [configuration.headCount * configuration.headDimension, keys, keys]
            let all = try linear(input, context: context)
            if configuration.isFusedByKey { return try parts(ofKeys: all) }
            let parts = try all.split(sizes: sizes, along: -1)
            return (parts[0], parts[1], parts[2])
        }
    }

    /// Splits an output in which each key stands with its queries and its value.
    private func parts(ofKeys all: Tensor) throws -> (query: Tensor, key: Tensor, value: Tensor) {
        let (tokens, keys) = (all.size(0), configuration.keyValueHeadCount)
        let queries = configuration.headCount / keys
        let groups = try all.reshaped([tokens, keys, queries + 2, configuration.headDimension])
        let part = { (start: Int, count: Int) in
            try groups.narrowed(2, start: start, count: count)
                .reshaped([tokens, keys * count * self.configuration.headDimension])
        }
        return (try part(0, queries), try part(queries, 1), try part(queries + 1, 1))
    }

    private func heads(_ projection: Tensor, _ count: Int) throws -> Tensor {
        try projection.reshaped([projection.size(0), count, configuration.headDimension])
    }

    /// Queries or keys, `[tokens, heads, headDimension]`, normalized and rotated.
    private func prepared(
        _ projection: Tensor, heads count: Int, norm: Norm?, _ angles: (cos: Tensor, sin: Tensor)?
    ) throws -> Tensor {
        let settings = configuration.queryKeyNorm
        let isWhole = settings?.scope == .projection
        var x = try heads(clipped(norm.map { isWhole ? try $0(projection) : projection } ?? projection), count)
        let follows = settings?.followsRotation ?? false
        if let norm, !isWhole, !follows { x = try norm(x) }
        if let rotary, let angles { x = try rotary(x, angles) }
        return follows ? try norm?(x) ?? x : x
    }

    private func clipped(_ projection: Tensor) throws -> Tensor {
        try configuration.clip.map { try projection.clamped(-$0, $0) } ?? projection
    }

    /// Attention within each sequence. `[tokens, heads, headDimension]` in and out.
    private func attend(query: Tensor, key: Tensor, value: Tensor, context: AttentionContext) throws -> Tensor {
        let layout = context.layout
        if configuration.hasPlainScores, query.hasPackedAttention(softcap: configuration.softcap) {
            return try Tensor.packedAttention(
                query: query, key: key, value: value, boundaries: context.boundaries(), window: slidingWindow,
                scale: configuration.scale, softcap: configuration.softcap)
        }
        precondition(layout.sharedPrefix == 0, "only packed attention supports a shared prefix")
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

    /// The new tokens of each sequence attend to earlier tokens and to each other.
    private func attendToCaches(
        query: Tensor, key: Tensor, value: Tensor, caches: [LayerCache], context: AttentionContext
    ) throws -> Tensor {
        guard caches.count > 1 else {
            return try attendToCache(query: query, key: key, value: value, cache: caches[0], context: context)
        }
        var start = 0
        let results = try zip(context.layout.lengths, caches).map { length, cache in
            defer { start += length }
            let part = { (x: Tensor) in try x.narrowed(0, start: start, count: length) }
            return try attendToCache(
                query: part(query), key: part(key), value: part(value), cache: cache, context: context)
        }
        return try Tensor.concatenated(results, along: 0)
    }

    private func attendToCache(
        query: Tensor, key: Tensor, value: Tensor, cache: LayerCache, context: AttentionContext
    ) throws -> Tensor {
        if context.isFew, configuration.hasPlainScores {
            return try cache.attend(query: query, key: key, value: value, configuration: configuration)
        }
        let (keys, values) = try cache.append(keys: key, values: value)
        let split = { (x: Tensor) in try x.transposed(0, 1).unsqueezed(0) }
        let result = try scores(
            split(query.to(keys.dtype)), split(keys), split(values), queries: query.size(0), keys: keys.size(0),
            context: context)
        return try result.to(query.dtype).squeezed(0).transposed(0, 1)
    }

    /// `[batch, heads, queries, headDimension]`; the last query is the last key.
    ///
    /// Where a window hides most keys, queries are processed in blocks, each with only the keys that it can see, since kernels
    /// compute masked scores too.
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

    /// ``scores(_:_:_:queries:keys:context:)`` for one block of queries and keys.
    private func block(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, queries: Int, keys: Int, context: AttentionContext
    ) throws -> Tensor {
        let key = try repeated(key)
        let value = try repeated(value)
        let needsWindow = slidingWindow.map { keys > $0 } ?? false
        if let cap = configuration.softcap {
            var logits = try (query * configuration.scale).matmul(key.transposed(-1, -2))
            logits = try (logits / cap).tanh() * cap
            let hidden = try context.hidden(queries: queries, keys: keys, window: needsWindow ? slidingWindow : nil)
            let weights = try logits.masked(by: hidden, with: -.infinity).softmax(along: -1, dtype: .float32)
            return try weights.to(query.dtype).matmul(value)
        }
        if !configuration.hasPlainScores {
            let hidden = try context.hidden(queries: queries, keys: keys, window: needsWindow ? slidingWindow : nil)
            return try weighed(query, key, value, hidden: hidden, slopes: configuration.slopes?.bias(keys: keys))
        }
        let isCausal = !needsWindow && queries == keys
        let mask =
            isCausal || (queries == 1 && !needsWindow)
            ? nil : try context.visible(queries: queries, keys: keys, window: needsWindow ? slidingWindow : nil)
        return try Tensor.attention(
            query: query, key: key, value: value, mask: mask, isCausal: isCausal, scale: configuration.scale)
    }

    /// Attention with sinks or slopes, which fused kernels do not compute.
    /// - Parameter slopes: added to the scores of each head and key, `[heads, 1, keys]`.
    private func weighed(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, hidden: Tensor, slopes: Tensor?
    ) throws -> Tensor {
        var scores = try (query * configuration.scale).matmul(key.transposed(-1, -2)).to(.float32)
        if let slopes { scores = try scores + slopes.to(scores.device) }
        scores = try scores.masked(by: hidden, with: -.infinity)
        if let sinks {
            let (batch, heads, queries) = (scores.size(0), scores.size(1), scores.size(2))
            let sink = try sinks.value(.float32).reshaped([1, heads, 1, 1]).expanded([batch, heads, queries, 1])
            scores = try Tensor.concatenated([scores, sink], along: -1)
        }
        let weights = try scores.softmax(along: -1).narrowed(-1, start: 0, count: key.size(2))
        return try weights.to(query.dtype).matmul(value)
    }

    /// Keys or values `[batch, keyValueHeads, length, headDimension]`, repeated for each query head.
    private func repeated(_ heads: Tensor) throws -> Tensor {
        let groups = configuration.headCount / configuration.keyValueHeadCount
        guard groups > 1 else { return heads }
        let (batch, count, length, dimension) = (heads.size(0), heads.size(1), heads.size(2), heads.size(3))
        return try heads.unsqueezed(2).expanded([batch, count, groups, length, dimension])
            .reshaped([batch, count * groups, length, dimension])
    }
}
