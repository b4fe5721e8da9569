internal import CTorch

/// What predicting some targets cost.
public struct VocabularyLoss {
    /// log Σ exp(z) − z[target] for each row, in nats.
    public var losses: [Float]
    /// Whether the target has the largest logit, for each row.
    public var isCorrect: [Bool]
    /// d(Σ losses)/d(states) `[rows, hidden]`, where it was asked for.
    public var gradient: Tensor?
}

extension Tensor {
    /// Whether ``vocabularyLoss(_:targets:softcap:threshold:centroids:gradient:)`` takes these states and this table.
    public func hasVocabularyLoss(_ table: Tensor, threshold: Double, gradient: Bool) -> Bool {
        withExtendedLifetime((self, table)) { ct_has_vocabulary_loss(handle, table.handle, gradient, threshold) }
    }

    /// The cross-entropy of a frozen language-model head over its whole vocabulary, holding only a chunk of the logits.
    ///
    /// - Parameters:
    ///   - table: `[vocabulary, hidden]`.
    ///   - targets: `[rows]`, indices into the vocabulary.
    ///   - softcap: where positive, z = softcap · tanh(x / softcap) takes the logits' place.
    ///   - threshold: probabilities below it enter the gradient by the centroid of their 512 words; 0: none.
    ///   - centroids: ``vocabularyCentroids()`` of the table; needed with a threshold.
    ///   - gradient: whether the gradient with respect to the states is wanted.
    public func vocabularyLoss(
        _ table: Tensor, targets: [Int64], softcap: Double, threshold: Double, centroids: Tensor?, gradient: Bool
    ) throws -> VocabularyLoss {
        precondition(size(0) == targets.count)
        var losses = [Float](repeating: 0, count: targets.count)
        var correct = [UInt8](repeating: 0, count: targets.count)
        var result: OpaquePointer?
        let states = try contiguous()
        try withExtendedLifetime((states, table, centroids)) {
            try withUnsafeMutablePointer(to: &result) { result in
                try check(
                    ct_vocabulary_loss(
                        states.handle, table.handle, centroids?.handle, targets, Int64(targets.count), Float(softcap),
                        threshold, &losses, &correct, gradient ? result : nil),
                    "vocabulary loss")
            }
        }
        return VocabularyLoss(
            losses: losses, isCorrect: correct.map { $0 != 0 }, gradient: result.map(Tensor.init(owning:)))
    }

    /// The means of every 512 rows of an embedding table `[vocabulary, hidden]`: `[⌈vocabulary / 512⌉, hidden]`, float32.
    public func vocabularyCentroids() throws -> Tensor {
        var result: OpaquePointer?
        try check(ct_vocabulary_centroids(handle, &result), "vocabulary centroids")
        return Tensor(owning: result!)
    }
}
