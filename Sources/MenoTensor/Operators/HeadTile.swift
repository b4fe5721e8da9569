internal import CTorch

extension Tensor {
    /// The cross-entropy of one tile of a language-model head on the CPU, with its gradient in the logits' place.
    ///
    /// - Parameters:
    ///   - targets: `[rows]`, each an index into the vocabulary.
    ///   - softcap: where positive, z = softcap · tanh(x / softcap) takes the logits' place.
    ///   - gradientScale: where not zero, the logits `[rows, vocabulary]` (float32 or bfloat16, contiguous) are
    ///     overwritten with d(gradientScale · nll)/d(logits).
    ///   - nll: receives log Σ exp(z) − z[target] for each row.
    ///   - correct: receives whether the target is the argmax, for each row.
    public func headTile_(
        targets: UnsafeBufferPointer<Int64>, softcap: Double, gradientScale: Double,
        nll: UnsafeMutableBufferPointer<Float>, correct: UnsafeMutableBufferPointer<UInt8>
    ) throws {
        precondition(targets.count == nll.count && targets.count == correct.count)
        try check(
            ct_head_tile(
                handle, targets.baseAddress, Int64(targets.count), Float(softcap), Float(gradientScale),
                nll.baseAddress, correct.baseAddress),
            "head tile")
    }
}
