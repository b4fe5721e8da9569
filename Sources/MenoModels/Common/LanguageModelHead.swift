internal import MenoTensor

/// The projection to the vocabulary and its cross-entropy, never holding more than a tile of logits.
final class LanguageModelHead {
    /// `[vocabulary, hidden]`.
    let weight: Parameter
    /// `[vocabulary]`.
    let bias: Parameter?
    private let softcap: Double?
    /// The head with its bias as an extra column of its weight, where both are frozen.
    private var widened: LanguageModelHead?
    /// See ``Decoder/headGradientThreshold``.
    var gradientThreshold = 0.0 { didSet { widened?.gradientThreshold = gradientThreshold } }
    /// The means of every 512 rows of a frozen weight, computed on first use.
    private var centroids: Tensor?
    /// The most logits in memory at a time, in elements, where the vocabulary is not processed in chunks. A larger tile gives a
    /// GPU more rows to spread over its processors when the tile is turned into a gradient.
    static func tileElements(onDevice: Bool) -> Int { onDevice ? 1 << 28 : 1 << 26 }

    init(weight: Parameter, bias: Parameter? = nil, softcap: Double?) {
        self.weight = weight
        self.bias = bias
        self.softcap = softcap
    }

    /// Logits in float32.
    /// - Parameter hiddenStates: `[tokens, hidden]`.
    /// - Returns: `[tokens, vocabulary]`.
    func logits(_ hiddenStates: Tensor) throws -> Tensor {
        let product =
            try weight.matrix.map { try hiddenStates.frozenLinear($0) }
            ?? hiddenStates.linear(weight.value(hiddenStates.dtype))
        var logits = try product.to(.float32)
        if let bias { logits = try logits + bias.value(.float32) }
        guard let softcap else { return logits }
        return try (logits / softcap).tanh() * softcap
    }

    /// The cross-entropy of each target, and whether it was the model's first choice.
    ///
    /// The gradient with respect to the hidden states (and to the weight, where it is trained) is computed while a tile's logits
    /// are in memory, so that they can be freed with the tile.
    /// - Parameters:
    ///   - hiddenStates: `[tokens, hidden]`, a row for each target.
    ///   - targets: `[tokens]`, indices into the vocabulary.
    ///   - counts: the weight of each target in the sum; `nil`: 1.
    ///   - smoothing: the share of each target's probability that is spread evenly over the vocabulary.
    /// - Returns: the sum of the losses as a scalar that can be differentiated, and the values.
    func loss(
        _ hiddenStates: Tensor, targets: [Int64], counts: [Float]? = nil, smoothing: Double = 0
    ) throws -> TokenLosses {
        precondition(hiddenStates.size(0) == targets.count)
        if let bias {
            return try withColumn(of: bias).loss(
                Self.withColumn(hiddenStates), targets: targets, counts: counts, smoothing: smoothing)
        }
        let trainsWeight = weight.isTrained
        let needsGradient = isGradientEnabled && (hiddenStates.requiresGradient || trainsWeight)
        let weights = try counts.map { try Tensor($0).unsqueezed(1).to(hiddenStates.device) }
        let computed = try withoutGradient {
            try chunks(of: hiddenStates.detached(), targets: targets, smoothing: smoothing, gradient: needsGradient)
                ?? tiles(
                    of: hiddenStates.detached(), table: weight.value(hiddenStates.dtype), targets: targets,
                    weights: weights, smoothing: smoothing, inputGradient: needsGradient,
                    weightGradient: needsGradient && trainsWeight)
        }
        let total = computed.losses.indices.reduce(0.0) { $0 + Double(computed.losses[$1]) * Double(counts?[$1] ?? 1) }
        let sum = try Tensor([Float(total)], shape: [], device: hiddenStates.device)
        guard needsGradient else {
            return TokenLosses(sum: sum, values: computed.losses, isCorrect: computed.correct)
        }
        let inputs = [hiddenStates] + (trainsWeight ? [weight.tensor] : [])
        let differentiable = try Tensor.customNode(inputs: inputs, outputs: [sum]) { gradients in
            guard let scale = gradients[0] else { return inputs.map { _ in nil } }
            let scales = try [weights.map { try $0 * scale } ?? scale, scale]
            return try zip([computed.inputGradient, computed.weightGradient], scales).prefix(inputs.count).map {
                gradient, scale in
                try gradient.map { try ($0 * scale).to($0.dtype) }
            }
        }[0]
        return TokenLosses(sum: differentiable, values: computed.losses, isCorrect: computed.correct)
    }

    /// The losses of the targets as a differentiable tensor, for objectives that do more than add them up.
    ///
    /// The gradient with respect to the hidden states is computed right away, a row for each target, and scaled once the
    /// objective's gradient is known. That of a trained weight is computed then, in a second pass over the tiles.
    /// - Parameters: as ``loss(_:targets:counts:smoothing:)``.
    func targetLosses(_ hiddenStates: Tensor, targets: [Int64], smoothing: Double = 0) throws -> TargetLosses {
        precondition(hiddenStates.size(0) == targets.count)
        if let bias {
            return try withColumn(of: bias).targetLosses(
                Self.withColumn(hiddenStates), targets: targets, smoothing: smoothing)
        }
        let trainsWeight = weight.isTrained
        let needsGradient = isGradientEnabled && (hiddenStates.requiresGradient || trainsWeight)
        let states = try hiddenStates.detached()
        let computed = try withoutGradient {
            try chunks(of: states, targets: targets, smoothing: smoothing, gradient: needsGradient)
                ?? tiles(
                    of: states, table: weight.value(states.dtype), targets: targets, weights: nil, smoothing: smoothing,
                    inputGradient: needsGradient, weightGradient: false)
        }
        let terms = try Tensor(computed.losses, device: hiddenStates.device)
        guard needsGradient else { return TargetLosses(terms: terms, isCorrect: computed.correct) }
        let inputs = [hiddenStates] + (trainsWeight ? [weight.tensor] : [])
        let differentiable = try Tensor.customNode(inputs: inputs, outputs: [terms]) { [self] gradients in
            guard let scales = try gradients[0]?.unsqueezed(1) else { return inputs.map { _ in nil } }
            let input = try computed.inputGradient.map { try ($0 * scales).to($0.dtype) }
            guard trainsWeight else { return [input] }
            let again = try tiles(
                of: states, table: weight.value(states.dtype), targets: targets, weights: scales, smoothing: smoothing,
                inputGradient: false, weightGradient: true)
            return [input, again.weightGradient]
        }[0]
        return TargetLosses(terms: differentiable, isCorrect: computed.correct)
    }

    /// The number of columns added for a bias: the kernels need complete vectors.
    private static let addedColumns = 32

    /// A head without a bias that gives the same logits for states from ``withColumn(_:)``.
    private func withColumn(of bias: Parameter) throws -> LanguageModelHead {
        if let widened { return widened }
        let isTrained = weight.isTrained || bias.isTrained
        let dtype = isTrained ? .float32 : try weight.rows(at: Tensor([Int64(0)], device: bias.tensor.device)).dtype
        let nothing = try Tensor.zeros(
            [weight.shape[0], Self.addedColumns - 1], dtype: dtype, device: bias.tensor.device)
        let table = try Tensor.concatenated(
            [weight.value(dtype), bias.value(dtype).unsqueezed(1), nothing], along: 1)
        let head = LanguageModelHead(
            weight: isTrained ? Parameter(weight.name, table) : Parameter(weight.name, FrozenMatrix(table)),
            softcap: softcap)
        head.gradientThreshold = gradientThreshold
        if !isTrained { widened = head }
        return head
    }

    /// States with an extra 1, which multiplies a bias stored as a column of the weight.
    private static func withColumn(_ states: Tensor) throws -> Tensor {
        let shape = [states.size(0), 1]
        let one = try Tensor.ones(shape, dtype: states.dtype, device: states.device)
        let nothing = try Tensor.zeros([shape[0], addedColumns - 1], dtype: states.dtype, device: states.device)
        return try Tensor.concatenated([states, one, nothing], along: 1)
    }

    private struct TileResults {
        var losses: [Float]
        var correct: [Bool]
        var inputGradient: Tensor?
        var weightGradient: Tensor?
    }

    /// The loss of a frozen head by the kernel that processes the vocabulary in chunks; `nil` where that kernel does not apply.
    private func chunks(
        of hiddenStates: Tensor, targets: [Int64], smoothing: Double, gradient: Bool
    ) throws -> TileResults? {
        let threshold = gradient ? gradientThreshold : 0
        guard let table = weight.matrix, smoothing == 0 || softcap == nil,
            hiddenStates.hasVocabularyLoss(table, threshold: threshold, gradient: gradient)
        else { return nil }
        if threshold > 0 || smoothing > 0, centroids == nil { centroids = try table.vocabularyCentroids() }
        let result = try hiddenStates.vocabularyLoss(
            table, targets: targets, softcap: softcap ?? 0, threshold: threshold,
            centroids: threshold > 0 ? centroids : nil, gradient: gradient)
        let sharp = TileResults(losses: result.losses, correct: result.isCorrect, inputGradient: result.gradient)
        guard smoothing > 0, let mean = try centroids?.meanOfRows(table.rows) else { return sharp }
        return try smoothed(sharp, by: smoothing, hiddenStates, targets: targets, mean: mean)
    }

    /// Adds label smoothing, where no cap bounds the logits z = h · Wᵀ. Smoothing then adds a term to the loss that is linear in
    /// h, ε (z[t] − mean z) = ε h · (W[t] − W̄), W̄ the `mean` of W's rows (Szegedy et al., 2016, arXiv:1512.00567, section 7).
    private func smoothed(
        _ results: TileResults, by smoothing: Double, _ hiddenStates: Tensor, targets: [Int64], mean: Tensor
    ) throws -> TileResults {
        let rows = try weight.rows(at: Tensor(targets)).to(.float32)
        let slope = try (rows - mean) * smoothing
        let added: [Float] = try (hiddenStates.to(.float32) * slope).sum(along: [1]).array()
        var results = results
        results.losses = zip(results.losses, added).map { $0 + $1 }
        results.inputGradient = try results.inputGradient.map { try ($0.to(.float32) + slope).to($0.dtype) }
        return results
    }

    private func tiles(
        of hiddenStates: Tensor, table: Tensor, targets: [Int64], weights: Tensor?, smoothing: Double,
        inputGradient needsInput: Bool, weightGradient needsWeight: Bool
    ) throws -> TileResults {
        let count = targets.count
        let vocabulary = table.size(0)
        let device = hiddenStates.device
        let hasKernel = device.kind != .cpu && hiddenStates.hasFusedLayers
        let onDevice = hasKernel ? try DeviceTargets(targets, vocabulary: vocabulary, device: device) : nil
        let differentiates = needsInput || needsWeight
        let rows = max(1, min(count, Self.tileElements(onDevice: hasKernel) / vocabulary))
        var losses = [Float](repeating: 0, count: count)
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
            if let onDevice {
                try onDevice.evaluate(
                    logits, rows: range, softcap: softcap, smoothing: smoothing, differentiates: differentiates)
            } else if device.kind == .cpu {
                try targets[range].withUnsafeBufferPointer { targets in
                    try losses.withUnsafeMutableBufferPointer { losses in
                        try correct.withUnsafeMutableBufferPointer { correct in
                            try logits.headTile_(
                                targets: targets, softcap: softcap ?? 0, smoothing: smoothing,
                                gradientScale: differentiates ? 1 : 0, loss: .init(rebasing: losses[range]),
                                correct: .init(rebasing: correct[range]))
                        }
                    }
                }
            } else {
                let results = try acceleratorTile(
                    logits, targets: Array(targets[range]), smoothing: smoothing, gradient: differentiates)
                losses.replaceSubrange(range, with: results.losses)
                correct.replaceSubrange(range, with: results.correct)
            }
            if let inputGradient {
                try logits.mm(table, into: inputGradient.narrowed(0, start: start, count: size))
            }
            if let weightGradient {
                let weights = try weights?.narrowed(0, start: start, count: size)
                try weightGradient.add_(logits.transposed().mm(weights.map { try (tile * $0).to(tile.dtype) } ?? tile))
            }
            start += size
        }
        if let onDevice { (losses, correct) = try (onDevice.losses.array(), onDevice.correct.array()) }
        return TileResults(
            losses: losses, correct: correct.map { $0 != 0 }, inputGradient: inputGradient,
            weightGradient: weightGradient)
    }

    /// ``Tensor/headTile_(targets:softcap:smoothing:gradientScale:loss:correct:)`` with libtorch's operators.
    private func acceleratorTile(
        _ logits: Tensor, targets: [Int64], smoothing: Double, gradient needsGradient: Bool
    ) throws -> (losses: [Float], correct: [UInt8]) {
        let index = try Tensor(targets, device: logits.device).unsqueezed(1)
        var z = try logits.to(.float32)
        if let softcap { z = try (z / softcap).tanh() * softcap }
        let logSum = try z.logSumExp(along: -1)
        let chosen = try z.gathered(along: 1, at: index).squeezed(1)
        let expected = smoothing == 0 ? chosen : try chosen * (1 - smoothing) + z.mean(along: [1]) * smoothing
        let losses = try logSum - expected
        let correct = try z.argmax(along: -1).isEqual(to: index.squeezed(1))
        if needsGradient {
            var gradient = try (z - logSum.unsqueezed(1)).exp()
            if smoothing != 0 { gradient = try gradient + -smoothing / Double(z.size(1)) }
            try gradient.scatterAdd_(along: 1, at: index, value: smoothing - 1)
            if let softcap { gradient = try gradient * ((z / softcap).squared() * -1 + 1) }
            try logits.copy_(gradient)
        }
        return (try losses.array(), try correct.to(.uint8).array())
    }
}

/// Inputs and outputs of the GPU kernel for tiles of logits, all on the device, so that nothing waits for a tile's results.
private struct DeviceTargets {
    let targets, losses, correct: Tensor

    /// - Throws: ``ModelError`` for a target that the vocabulary does not have: the kernel would read beyond its logits.
    init(_ targets: [Int64], vocabulary: Int, device: Device) throws {
        if let outside = targets.first(where: { $0 < 0 || $0 >= vocabulary }) {
            throw ModelError(.mismatch, "label \(outside) is outside the model's vocabulary of \(vocabulary).")
        }
        self.targets = try Tensor(targets, device: device)
        losses = try Tensor(uninitialized: [targets.count], dtype: .float32, device: device)
        correct = try Tensor(uninitialized: [targets.count], dtype: .uint8, device: device)
    }

    func evaluate(
        _ logits: Tensor, rows: Range<Int>, softcap: Double?, smoothing: Double, differentiates: Bool
    ) throws {
        let part = { (tensor: Tensor) in try tensor.narrowed(0, start: rows.lowerBound, count: rows.count) }
        try logits.headTile_(
            targets: part(targets), softcap: softcap ?? 0, smoothing: smoothing, differentiates: differentiates,
            loss: part(losses), correct: part(correct))
    }
}

extension Tensor {
    /// The mean of all rows of a table with this many rows, given its ``vocabularyCentroids()``.
    fileprivate func meanOfRows(_ rows: Int) throws -> Tensor {
        let sizes = (0..<size(0)).map { Float(min(512, rows - 512 * $0)) / Float(rows) }
        return try (self * Tensor(sizes).unsqueezed(1)).sum(along: [0])
    }
}
