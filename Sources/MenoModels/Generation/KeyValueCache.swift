internal import MenoTensor

/// The cached keys and values of one sequence, layer by layer.
package final class KeyValueCache {
    let layers: [LayerCache]
    /// Tokens held.
    package private(set) var count = 0
    /// Tokens that fit.
    package let capacity: Int

    /// Room for `capacity` tokens.
    package init(_ model: Decoder, capacity: Int) throws {
        self.capacity = capacity
        layers = try model.configuration.layers.map { layer in
            let shape = [capacity, layer.attention.keyValueHeadCount, layer.attention.headDimension]
            return LayerCache(
                keys: try Tensor(uninitialized: shape, dtype: model.computeType, device: model.device),
                values: try Tensor(uninitialized: shape, dtype: model.computeType, device: model.device),
                slidingWindow: layer.attention.slidingWindow)
        }
    }

    func advance(by tokens: Int) { count += tokens }
}

/// One layer's keys and values, `[capacity, keyValueHeads, headDimension]` each.
final class LayerCache {
    private let keys: Tensor
    private let values: Tensor
    private let slidingWindow: Int?
    private var count = 0

    init(keys: Tensor, values: Tensor, slidingWindow: Int?) {
        self.keys = keys
        self.values = values
        self.slidingWindow = slidingWindow
    }

    /// Appends a few new tokens and computes their attention.
    /// - Parameters: the new tokens' queries, keys and values, `[tokens, heads, headDimension]` each, float32 on the CPU.
    func attend(
        query: Tensor, key: Tensor, value: Tensor, configuration: AttentionConfiguration
    ) throws -> Tensor {
        let added = query.size(0)
        precondition(count + added <= keys.size(0), "the cache has room for the new tokens")
        let result = try Tensor.cachedAttention(
            query: query, key: key, value: value, cache: (keys, values), before: count, window: slidingWindow,
            scale: configuration.scale, softcap: configuration.softcap)
        count += added
        return result
    }

    /// Appends new tokens.
    /// - Returns: the keys and values that the new tokens can see, views `[visible, keyValueHeads, headDimension]`.
    func append(keys newKeys: Tensor, values newValues: Tensor) throws -> (keys: Tensor, values: Tensor) {
        let added = newKeys.size(0)
        precondition(count + added <= keys.size(0), "the cache has room for the new tokens")
        try keys.narrowed(0, start: count, count: added).copy_(newKeys)
        try values.narrowed(0, start: count, count: added).copy_(newValues)
        count += added
        // The oldest of the new tokens sees `slidingWindow` tokens, itself included.
        let first = slidingWindow.map { max(0, count - added + 1 - $0) } ?? 0
        return (
            try keys.narrowed(0, start: first, count: count - first),
            try values.narrowed(0, start: first, count: count - first)
        )
    }
}
