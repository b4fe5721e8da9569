extension Tensor {
    /// The cross-entropy of one tile of a language-model head on the CPU, with its gradient in place of the logits.
    ///
    /// - Parameters:
    ///   - targets: `[rows]`, each an index into the vocabulary.
    ///   - softcap: if positive, z = softcap · tanh(x / softcap) replaces the logits.
    ///   - smoothing: ε, the share of each target's probability that is spread evenly over the vocabulary (Szegedy et
    ///     al., 2015, arXiv:1512.00567).
    ///   - gradientScale: where not zero, the logits `[rows, vocabulary]` (float32 or bfloat16, contiguous) are
    ///     overwritten with d(gradientScale · loss)/d(logits).
    ///   - loss: receives log Σ exp(z) − (1 − ε) z[target] − ε · mean(z) for each row.
    ///   - correct: receives whether the target is the argmax, for each row.
    package func headTile_(
        targets: UnsafeBufferPointer<Int64>, softcap: Double, smoothing: Double = 0, gradientScale: Double,
        loss: UnsafeMutableBufferPointer<Float>, correct: UnsafeMutableBufferPointer<UInt8>
    ) throws {
        precondition(targets.count == loss.count && targets.count == correct.count)
        let results = try (
            Tensor(uninitialized: [loss.count], dtype: .float32), Tensor(uninitialized: [loss.count], dtype: .uint8)
        )
        try crossEntropy_(Tensor(Array(targets)), softcap, smoothing, gradientScale, results.0, results.1)
        try results.0.copyBytes(to: UnsafeMutableRawBufferPointer(loss))
        try results.1.copyBytes(to: UnsafeMutableRawBufferPointer(correct))
    }

    /// The same on a GPU that has the kernel (``hasFusedLayers``). All data stays on the GPU, and nothing waits for the result.
    /// - Parameters:
    ///   - targets: `[rows]`, int64.
    ///   - differentiates: whether the logits are overwritten with d(loss)/d(logits).
    ///   - loss: `[rows]`, float32.
    ///   - correct: `[rows]`, uint8.
    package func headTile_(
        targets: Tensor, softcap: Double, smoothing: Double, differentiates: Bool, loss: Tensor, correct: Tensor
    ) throws {
        try crossEntropy_(targets, softcap, smoothing, differentiates ? 1 : 0, loss, correct)
    }

    private func crossEntropy_(
        _ targets: Tensor, _ softcap: Double, _ smoothing: Double, _ gradientScale: Double, _ loss: Tensor,
        _ correct: Tensor
    ) throws {
        _ = try Kernels.crossEntropy_(
            .tensor(self), .tensor(targets), .double(softcap), .double(smoothing), .double(gradientScale),
            .tensor(loss),
            .tensor(correct))
    }
}
