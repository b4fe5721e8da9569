/// What predicting some targets cost.
package struct VocabularyLoss {
    /// log Σ exp(z) − z[target] for each row, in nats.
    package var losses: [Float]
    /// Whether the target has the largest logit, for each row.
    package var isCorrect: [Bool]
    /// d(Σ losses)/d(states) `[rows, hidden]`, where it was asked for.
    package var gradient: Tensor?
}

extension Tensor {
    /// Whether ``vocabularyLoss(_:targets:softcap:threshold:centroids:gradient:)`` takes these states and this table.
    package func hasVocabularyLoss(_ table: FrozenMatrix, threshold: Double, gradient: Bool) -> Bool {
        Kernels.take(gradient && threshold == 0 ? .exactVocabularyLoss : .vocabularyLoss, self, table)
    }

    /// The cross-entropy of a frozen language-model head over its whole vocabulary, holding only a chunk of the logits.
    ///
    /// - Parameters:
    ///   - table: `[vocabulary, hidden]`.
    ///   - targets: `[rows]`, indices into the vocabulary.
    ///   - softcap: where positive, z = softcap · tanh(x / softcap) takes the logits' place.
    ///   - threshold: probabilities below it enter the gradient by the centroid of their 512 words; 0: none.
    ///   - centroids: ``FrozenMatrix/vocabularyCentroids()`` of the table; needed with a threshold.
    ///   - gradient: whether the gradient with respect to the states is wanted.
    package func vocabularyLoss(
        _ table: FrozenMatrix, targets: [Int64], softcap: Double, threshold: Double, centroids: Tensor?, gradient: Bool
    ) throws -> VocabularyLoss {
        precondition(size(0) == targets.count)
        let arguments: [OperatorArgument] = [
            .optional(centroids), .tensor(try Tensor(targets)), .double(softcap), .double(threshold), .bool(gradient),
        ]
        let results = try Kernels.vocabularyLoss([.tensor(contiguous())] + table.arguments + arguments)
        let correct: [UInt8] = try results[1]!.array()
        return VocabularyLoss(
            losses: try results[0]!.array(), isCorrect: correct.map { $0 != 0 }, gradient: results[2])
    }
}

extension FrozenMatrix {
    /// The means of every 512 rows of an embedding table `[vocabulary, hidden]`: `[⌈vocabulary / 512⌉, hidden]`, float32.
    package func vocabularyCentroids() throws -> Tensor {
        try Kernels.vocabularyCentroids.one(arguments)
    }
}
