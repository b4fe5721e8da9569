internal import MenoTensor

extension Decoder {
    /// Continues a prompt token by token, each computed from the cached keys and values of those before it.
    /// - Parameters:
    ///   - prompt: token ids; at least one. With the new tokens, at most ``DecoderConfiguration/maximumPositions``.
    ///   - maxNewTokens: at most this many are generated.
    ///   - stopTokens: tokens that end the generation; they are not part of the result.
    ///   - onToken: called with every new token as it comes; returning `false` ends the generation.
    /// - Returns: the new tokens, and why there are no more.
    /// - Throws: ``ModelError`` with `mismatch` where the prompt is empty or the model's context too short.
    @discardableResult
    package func generate(
        prompt: [Int32], maxNewTokens: Int, stopTokens: Set<Int32>, sampling: Sampling = .greedy,
        onToken: (Int32) throws -> Bool = { _ in true }
    ) throws -> (tokens: [Int32], end: GenerationEnd) {
        guard !prompt.isEmpty else { throw ModelError(.mismatch, "the prompt has no tokens.") }
        let (length, overflow) = prompt.count.addingReportingOverflow(max(maxNewTokens, 0))
        let context = configuration.maximumPositions
        guard !overflow, length <= context else {
            let room = context - prompt.count
            throw ModelError(
                .mismatch,
                "the prompt has \(prompt.count) tokens and \(maxNewTokens) new ones are allowed; the model's context holds "
                    + "\(context).",
                advice: (room > 0 ? "Allow at most \(room) new tokens, or shorten" : "Shorten") + " the prompt.")
        }
        let sampling = try sampling.validated()
        if let seed = sampling.seed { try RandomGenerator.seed(seed) }
        return try withoutGradient {
            var cache = try KeyValueCache(self, capacity: length)
            var tokens: [Int32] = []
            var input = prompt
            while tokens.count < maxNewTokens {
                let states = try hiddenStates(
                    inputIDs: input, layout: SequenceLayout(lengths: [input.count]), cache: cache)
                let last = try states.narrowed(0, start: input.count - 1, count: 1)
                let token = try sampling.draw(head.logits(last).squeezed(0))
                if stopTokens.contains(token) { return (tokens, .stopToken) }
                tokens.append(token)
                guard try onToken(token) else { return (tokens, .cancelled) }
                input = [token]
                if !cachedKeysHold(for: cache.count + 1, of: cache) {
                    cache = try KeyValueCache(self, capacity: length)
                    input = prompt + tokens
                }
            }
            return (tokens, .length)
        }
    }

    /// Whether keys that were rotated in a shorter sequence are those of a longer one.
    private func cachedKeysHold(for length: Int, of cache: KeyValueCache) -> Bool {
        configuration.layers.compactMap(\.attention.rotary).allSatisfy {
            $0.regime(ofLength: length) == $0.regime(ofLength: cache.count)
        }
    }
}
