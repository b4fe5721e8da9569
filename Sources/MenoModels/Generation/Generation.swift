internal import MenoTensor

extension Decoder {
    /// The new tokens, and why the generation ended.
    package typealias Generated = (tokens: [Int32], end: GenerationEnd)

    /// Continues a prompt token by token, each computed from the cached keys and values of those before it.
    /// - Parameters:
    ///   - prompt: token ids; at least one. With the new tokens, at most ``DecoderConfiguration/maximumPositions``.
    ///   - maxNewTokens: at most this many are generated.
    ///   - stopTokens: tokens that end the generation; they are not part of the result.
    ///   - onToken: called with every new token as it comes; returning `false` ends the generation.
    /// - Returns: the new tokens, and why the generation ended.
    /// - Throws: ``ModelError`` with `mismatch` if the prompt is empty or the model's context is too short.
    @discardableResult
    package func generate(
        prompt: [Int32], maxNewTokens: Int, stopTokens: Set<Int32>, sampling: Sampling = .greedy,
        onToken: (Int32) throws -> Bool = { _ in true }
    ) throws -> Generated {
        try generate(
            prompts: [prompt], maxNewTokens: maxNewTokens, stopTokens: stopTokens, sampling: sampling
        ) { _, token in try onToken(token) }[0]
    }

    /// Continues several prompts, in one pass for each new token of all prompts where that does not change the results.
    /// - Parameters: as for ``generate(prompt:maxNewTokens:stopTokens:sampling:onToken:)``; `onToken` gets the index of the
    ///   prompt that a token continues, and ends that one by returning `false`.
    /// - Returns: the continuation of each prompt.
    package func generate(
        prompts: [[Int32]], maxNewTokens: Int, stopTokens: Set<Int32>, sampling: Sampling = .greedy,
        onToken: (Int, Int32) throws -> Bool = { _, _ in true }
    ) throws -> [Generated] {
        for prompt in prompts { try requireRoom(for: prompt, maxNewTokens: maxNewTokens) }
        let sampling = try sampling.validated()
        if let seed = sampling.seed { try RandomGenerator.seed(seed) }
        return try withoutGradient {
            let all = try prompts.map { try Continuation($0, maxNewTokens: maxNewTokens, of: self) }
            var active = Array(all.indices).filter { _ in maxNewTokens > 0 }
            while !active.isEmpty {
                let logits = try nextLogits(of: active.map { all[$0] })
                for (index, logits) in zip(active, logits) {
                    let token = try sampling.draw(logits)
                    let isWanted = try stopTokens.contains(token) || onToken(index, token)
                    try all[index].take(token, isWanted: isWanted, stopTokens: stopTokens, of: self)
                }
                active.removeAll { all[$0].end != nil }
            }
            return all.map { ($0.tokens, $0.end ?? .length) }
        }
    }

    private func requireRoom(for prompt: [Int32], maxNewTokens: Int) throws {
        guard !prompt.isEmpty else { throw ModelError(.mismatch, "the prompt has no tokens.") }
        let (length, overflow) = prompt.count.addingReportingOverflow(max(maxNewTokens, 0))
        let context = configuration.maximumPositions
        guard overflow || length > context else { return }
        let room = context - prompt.count
        throw ModelError(
            .mismatch,
            "the prompt has \(prompt.count) tokens and \(maxNewTokens) new ones are allowed; the model's context holds "
                + "\(context).",
            advice: (room > 0 ? "Allow at most \(room) new tokens, or shorten" : "Shorten") + " the prompt.")
    }

    /// The logits of each sequence's next token, `[vocabulary]` in float32.
    private func nextLogits(of sequences: [Continuation]) throws -> [Tensor] {
        var logits: [Tensor] = []
        var rest = sequences[...]
        while let first = rest.first {
            // A prompt goes through the model by itself.
            let isStep = generatesTogether && first.input.count == 1
            let few = rest.prefix(isStep ? Torch.fewRows : 1).prefix { !isStep || $0.input.count == 1 }
            let layout = SequenceLayout(lengths: few.map(\.input.count))
            let states = try hiddenStates(
                inputIDs: few.flatMap(\.input), layout: layout, caches: few.map(\.cache))
            let last = isStep ? states : try states.narrowed(0, start: layout.tokenCount - 1, count: 1)
            let rows = try head.logits(last)
            logits += try few.indices.map { try rows.selected($0 - few.startIndex, along: 0) }
            rest = rest.dropFirst(few.count)
        }
        return logits
    }

    /// Whether keys that were rotated for a shorter sequence are still valid for a longer one.
    fileprivate func cachedKeysHold(for length: Int, of cache: KeyValueCache) -> Bool {
        configuration.layers.compactMap(\.attention.rotary).allSatisfy {
            $0.regime(ofLength: length) == $0.regime(ofLength: cache.count)
        }
    }
}

/// A prompt and what continues it so far.
private final class Continuation {
    private let prompt: [Int32]
    private let maxNewTokens: Int
    private(set) var tokens: [Int32] = []
    private(set) var end: GenerationEnd?
    private(set) var cache: KeyValueCache
    /// The tokens that go through the model next.
    private(set) var input: [Int32]

    init(_ prompt: [Int32], maxNewTokens: Int, of model: Decoder) throws {
        self.prompt = prompt
        self.maxNewTokens = maxNewTokens
        cache = try KeyValueCache(model, capacity: prompt.count + max(0, maxNewTokens))
        input = prompt
    }

    /// - Parameter isWanted: whether the caller wants more tokens.
    func take(_ token: Int32, isWanted: Bool, stopTokens: Set<Int32>, of model: Decoder) throws {
        if stopTokens.contains(token) { return end = .stopToken }
        tokens.append(token)
        guard isWanted else { return end = .cancelled }
        guard tokens.count < maxNewTokens else { return end = .length }
        input = [token]
        if !model.cachedKeysHold(for: cache.count + 1, of: cache) {
            cache = try KeyValueCache(model, capacity: cache.capacity)
            input = prompt + tokens
        }
    }
}
