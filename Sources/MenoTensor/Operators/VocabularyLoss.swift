/// The cross-entropy of some targets.
package struct VocabularyLoss {
    /// log Σ exp(z) − z[target] for each row, in nats.
    package var losses: [Float]
    /// Whether the target has the largest logit, for each row.
    package var isCorrect: [Bool]
    /// d(Σ losses)/d(states) `[rows, hidden]`, if it was requested.
    package var gradient: Tensor?
}

extension Tensor {
    /// Whether ``vocabularyLoss(_:targets:softcap:threshold:centroids:gradient:)`` supports these states and this table.
    package func hasVocabularyLoss(_ table: FrozenMatrix, threshold: Double, gradient: Bool) -> Bool {
        Kernels.take(gradient && threshold == 0 ? .exactVocabularyLoss : .vocabularyLoss, self, table)
    }

    /// The cross-entropy of a frozen language-model head over its vocabulary, with only a chunk of the logits in memory.
    ///
    /// - Parameters:
    ///   - table: `[vocabulary, hidden]`.
    ///   - targets: `[rows]`, indices into the vocabulary.
    ///   - softcap: if positive, z = softcap · tanh(x / softcap) replaces the logits.
    ///   - threshold: probabilities below this value enter the gradient through the centroid of their 512 tokens; 0: none do.
    ///   - centroids: ``FrozenMatrix/vocabularyCentroids()`` of the table; needed with a threshold.
    ///   - gradient: whether to compute the gradient with respect to the states.
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
