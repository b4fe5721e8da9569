extension DecoderConfiguration {
    /// The first difference from another configuration, in words; `nil`: both compute the same.
    ///
    /// Numbers may differ by the rounding of single precision, and the scale of scores is left out, since ``GGUFForm``
    /// compensates for it.
    func difference(from other: DecoderConfiguration) -> String? {
        let whole: [(String, Bool)] = [
            ("the vocabulary", vocabularySize == other.vocabularySize),
            ("the width or number of layers", hiddenSize == other.hiddenSize && layerCount == other.layerCount),
            ("the head", tiesEmbeddings == other.tiesEmbeddings && hasHeadBias == other.hasHeadBias),
            ("embeddings of positions", learnedPositions == other.learnedPositions),
            ("the scale of embeddings", Self.equal(embeddingScale, other.embeddingScale)),
            ("the scale of logits", Self.equal(logitScale, other.logitScale)),
            ("the cap of logits", Self.equal(finalSoftcap, other.finalSoftcap)),
            ("the last norm", Self.equal(finalNorm, other.finalNorm)),
        ]
        if let found = whole.first(where: { !$0.1 }) { return found.0 }
        for (index, (mine, theirs)) in zip(layers, other.layers).enumerated() {
            let (a, b) = (mine.attention, theirs.attention)
            let parts: [(String, Bool)] = [
                ("norms", Self.equal(mine.norm, theirs.norm) && mine.normPlacement == theirs.normPlacement),
                ("the scale of residuals", Self.equal(mine.residualScale, theirs.residualScale)),
                ("the feed-forward block", mine.feedForward.rounded == theirs.feedForward.rounded),
                ("attention heads", a.withSizesAlone == b.withSizesAlone),
                ("the sliding window", a.slidingWindow == b.slidingWindow),
                ("the encoding of positions", Self.equal(a.rotary, b.rotary, headDimension: a.headDimension)),
                ("the cap of scores", Self.equal(a.softcap, b.softcap)),
                ("the clip of queries, keys and values", Self.equal(a.clip, b.clip)),
                ("attention sinks", a.hasSinks == b.hasSinks), ("the slopes of positions", a.slopes == b.slopes),
                (
                    "the growth of queries",
                    Self.equal(a.queryGrowth?.rate, b.queryGrowth?.rate)
                        && a.queryGrowth?.period == b.queryGrowth?.period
                ),
                (
                    "the norms of queries and keys",
                    a.queryKeyNorm?.scope == b.queryKeyNorm?.scope
                        && a.queryKeyNorm?.followsRotation == b.queryKeyNorm?.followsRotation
                        && Self.equal(a.queryKeyNorm?.norm, b.queryKeyNorm?.norm)
                ),
            ]
            if let found = parts.first(where: { !$0.1 }) { return "\(found.0) in layer \(index)" }
        }
        return nil
    }

    private static func equal(_ a: Double?, _ b: Double?) -> Bool {
        guard let a, let b else { return a == b }
        return abs(a - b) <= 1e-6 * max(abs(a), abs(b))
    }

    private static func equal(_ a: NormConfiguration?, _ b: NormConfiguration?) -> Bool {
        a?.kind == b?.kind && equal(a?.epsilon, b?.epsilon)
    }

    private static func equal(_ a: RotaryConfiguration?, _ b: RotaryConfiguration?, headDimension: Int) -> Bool {
        guard let a, let b else { return (a == nil) == (b == nil) }
        let dimension = a.dimension ?? headDimension
        guard dimension == b.dimension ?? headDimension, a.isInterleaved == b.isInterleaved,
            equal(a.attentionFactor, b.attentionFactor)
        else { return false }
        // Scaling by length uses one set of frequencies for short texts and another for long ones.
        return [0, 1].allSatisfy { regime in
            zip(
                a.inverseFrequencies(dimension: dimension, regime: regime),
                b.inverseFrequencies(dimension: dimension, regime: regime)
            ).allSatisfy { equal($0, $1) }
        }
    }
}

extension AttentionConfiguration {
    fileprivate var withSizesAlone: [Int] {
        [
            headCount, keyValueHeadCount, headDimension, isFused ? 1 : 0, isFusedByKey ? 1 : 0, hasInputBias ? 1 : 0,
            hasOutputBias ? 1 : 0,
        ]
    }
}

extension FeedForwardConfiguration {
    /// A copy with its numbers rounded to single precision, as files have them.
    fileprivate var rounded: FeedForwardConfiguration {
        var block = self
        // A layer with experts has no feed-forward block of this size.
        if experts != nil { block.intermediateSize = 0 }
        if let scale = experts?.weightScale { block.experts?.weightScale = Double(Float(scale)) }
        if let gate = experts?.clampedGate {
            block.experts?.clampedGate = .init(slope: Double(Float(gate.slope)), limit: Double(Float(gate.limit)))
        }
        return block
    }
}
