public import MenoTensor

/// The projection to the vocabulary and its cross-entropy, never holding more than a tile of logits.
final class LanguageModelHead {
    /// `[vocabulary, hidden]`.
    let weight: Parameter
    private let softcap: Double?
    /// Logits held at a time, in elements.
    private static let tileElements = 1 << 26

    init(weight: Parameter, softcap: Double?) {
        self.weight = weight
        self.softcap = softcap
    }

    /// Logits in float32.
    /// - Parameter hiddenStates: `[tokens, hidden]`.
    /// - Returns: `[tokens, vocabulary]`.
    func logits(_ hiddenStates: Tensor) throws -> Tensor {
        let logits = try hiddenStates.linear(weight.value(hiddenStates.dtype)).to(.float32)
        guard let softcap else { return logits }
        return try (logits / softcap).tanh() * softcap
    }

    /// The negative log-likelihood of each target, and whether it was the model's first choice.
    ///
    /// The gradient with respect to the hidden states (and to the weight, where it is trained) is formed while a
    /// tile's logits are at hand, so that no logits outlive their tile.
    /// - Parameters:
    ///   - hiddenStates: `[tokens, hidden]`, a row for each target.
    ///   - targets: `[tokens]`, indices into the vocabulary.
    /// - Returns: the sum of the negative log-likelihoods as a scalar that can be differentiated, and the values.
    func loss(_ hiddenStates: Tensor, targets: [Int64]) throws -> TokenLosses {
        precondition(hiddenStates.size(0) == targets.count)
        var losses = TokenLosses(sum: nil, negativeLogLikelihoods: [], isCorrect: [])
        let trainsWeight = weight.isTrained
        let needsGradient = isGradientEnabled && (hiddenStates.requiresGradient || trainsWeight)
        let table = try withoutGradient { try weight.value(hiddenStates.dtype) }
        let computed = try withoutGradient {
            try tiles(
                of: hiddenStates.detached(), table: table, targets: targets, inputGradient: needsGradient,
                weightGradient: needsGradient && trainsWeight)
        }
        losses.negativeLogLikelihoods = computed.nll
        losses.isCorrect = computed.correct
        let sum = try Tensor(
            [Float(computed.nll.reduce(0.0) { $0 + Double($1) })], shape: [], device: hiddenStates.device)
        guard needsGradient else {
            losses.sum = sum
            return losses
        }
        let inputs = [hiddenStates] + (trainsWeight ? [weight.tensor] : [])
        losses.sum = try Tensor.customNode(inputs: inputs, outputs: [sum]) { gradients in
            guard let scale = gradients[0] else { return inputs.map { _ in nil } }
            return try [computed.inputGradient, computed.weightGradient].prefix(inputs.count).map { gradient in
                try gradient.map { try ($0 * scale).to($0.dtype) }
            }
        }[0]
        return losses
    }

    private struct TileResults {
        var nll: [Float]
        var correct: [Bool]
        var inputGradient: Tensor?
        var weightGradient: Tensor?
    }

    private func tiles(
        of hiddenStates: Tensor, table: Tensor, targets: [Int64], inputGradient needsInput: Bool,
        weightGradient needsWeight: Bool
    ) throws -> TileResults {
        let count = targets.count
        let vocabulary = table.size(0)
        let rows = max(1, min(count, Self.tileElements / vocabulary))
        let device = hiddenStates.device
        var nll = [Float](repeating: 0, count: count)
        var correct = [UInt8](repeating: 0, count: count)
        let inputGradient =
            needsInput ? try Tensor(uninitialized: hiddenStates.shape, dtype: hiddenStates.dtype, device: device) : nil
        let weightGradient = needsWeight ? try Tensor.zeros(table.shape, device: device) : nil
        let transposed = try table.transposed()
        let buffer = try Tensor(uninitialized: [rows, vocabulary], dtype: hiddenStates.dtype, device: device)
        var start = 0
        while start < count {
            let size = min(rows, count - start)
            let tile = try hiddenStates.narrowed(0, start: start, count: size)
            let logits = try buffer.narrowed(0, start: 0, count: size)
            try tile.mm(transposed, into: logits)
            let range = start..<start + size
            if device.kind == .cpu {
                try targets[range].withUnsafeBufferPointer { targets in
                    try nll.withUnsafeMutableBufferPointer { nll in
                        try correct.withUnsafeMutableBufferPointer { correct in
                            try logits.headTile_(
                                targets: targets, softcap: softcap ?? 0, gradientScale: needsInput ? 1 : 0,
                                nll: .init(rebasing: nll[range]), correct: .init(rebasing: correct[range]))
                        }
                    }
                }
            } else {
                let results = try acceleratorTile(logits, targets: Array(targets[range]), gradient: needsInput)
                nll.replaceSubrange(range, with: results.nll)
                correct.replaceSubrange(range, with: results.correct)
            }
            if let inputGradient {
                try logits.mm(table, into: inputGradient.narrowed(0, start: start, count: size))
            }
            if let weightGradient { try weightGradient.add_(logits.transposed().mm(tile)) }
            start += size
        }
        return TileResults(
            nll: nll, correct: correct.map { $0 != 0 }, inputGradient: inputGradient, weightGradient: weightGradient)
    }

    /// ``Tensor/headTile_(targets:softcap:gradientScale:nll:correct:)`` by libtorch's own operators.
    private func acceleratorTile(
        _ logits: Tensor, targets: [Int64], gradient needsGradient: Bool
    ) throws -> (nll: [Float], correct: [UInt8]) {
        let index = try Tensor(targets, device: logits.device).unsqueezed(1)
        var z = try logits.to(.float32)
        if let softcap { z = try (z / softcap).tanh() * softcap }
        let logSum = try z.logSumExp(along: -1)
        let nll = try logSum - z.gathered(along: 1, at: index).squeezed(1)
        let correct = try z.argmax(along: -1).isEqual(to: index.squeezed(1))
        if needsGradient {
            var gradient = try (z - logSum.unsqueezed(1)).exp()
            try gradient.scatterAdd_(along: 1, at: index, value: -1)
            if let softcap { gradient = try gradient * ((z / softcap).squared() * -1 + 1) }
            try logits.copy_(gradient)
        }
        return (try nll.array(), try correct.to(.uint8).array())
    }
}

/// What the targets of a pass cost.
public struct TokenLosses {
    /// Σ of the negative log-likelihoods, a scalar in float32; differentiable where gradients are on.
    public var sum: Tensor!
    /// −log p(target), in nats, for each target.
    public var negativeLogLikelihoods: [Float]
    /// Whether each target was the most probable token.
    public var isCorrect: [Bool]
}
