package import MenoTensor

/// A decoder-only transformer with its language-model head, of any ``Architecture``.
///
/// Works on packed sequences (``SequenceLayout``). Not `Sendable`: it stays with the loop that trains it.
package final class Decoder {
    package let configuration: DecoderConfiguration
    /// The type that dense frozen weights are held in.
    package let weightType: DType
    /// The type of activations: that of the weights, or float32 where weights in bfloat16 are multiplied in float32.
    package let computeType: DType
    package let device: Device
    /// How many layers, from the first, compute their inner values again in the backward pass instead of keeping them.
    ///
    /// The first, since their turn comes when what later layers kept is free again.
    package var checkpointedLayers = 0
    /// α of NEFTune (Jain et al., 2023, arXiv:2310.05914): in passes with gradient, uniform noise within ±α / √(L·d) is
    /// added to the embeddings of a sequence of L tokens of d values. 0: none.
    package var embeddingNoise = 0.0
    /// What dropout and noise follow from in passes with gradient, with an example's number (``SequenceLayout/numbers``), a
    /// token's position and a layer's name. Each optimizer step has a key of its own: `RowKeys.key(seed:step:)`.
    package var randomKey: UInt64 = 0
    /// Examples of a step that are a micro-batch, by their numbers: what the loss of routers is computed of
    /// (``DecoderConfiguration/routerLossCoefficient``). 0: passes have no such loss.
    package var microBatchSize = 0
    /// How many examples of the step each micro-batch has.
    private var microBatches: [Int: Int] = [:]
    /// The loss of routers of the last pass with gradient, a sum over its micro-batches.
    package private(set) var routerLoss = 0.0
    /// Probabilities below it enter the gradient of a frozen head by the centroid of their words' embeddings instead of one
    /// by one; 0: none. The loss is exact either way. Unless set, 1e-6 with weights in bfloat16, whose rounding is a
    /// larger error, and 0 otherwise.
    package var headGradientThreshold: Double {
        get { head.gradientThreshold }
        set { head.gradientThreshold = newValue }
    }

    let embedding: Parameter
    /// Of positions, where the model learns them.
    let positions: Parameter?
    let layers: [DecoderLayer]
    let finalNorm: Norm
    let head: LanguageModelHead

    init(
        configuration: DecoderConfiguration, weightType: DType, computeType: DType, device: Device,
        embedding: Parameter, positions: Parameter? = nil, layers: [DecoderLayer], finalNorm: Norm,
        head: LanguageModelHead
    ) {
        self.configuration = configuration
        self.weightType = weightType
        self.computeType = computeType
        self.device = device
        self.embedding = embedding
        self.positions = positions
        self.layers = layers
        self.finalNorm = finalNorm
        self.head = head
        head.gradientThreshold = weightType == .bfloat16 ? 1e-6 : 0
    }

    /// What is computed in, in words.
    package var precision: String {
        let packed = Set(parameters.compactMap(\.matrix).filter(\.isPacked).map(\.format.description)).sorted()
        guard packed.isEmpty else { return "\(computeType) with packed weights (\(packed.joined(separator: ", ")))" }
        return weightType == computeType ? "\(computeType)" : "\(computeType) with \(weightType) weights"
    }

    /// Bytes of all weights in memory.
    package var weightBytes: Int { parameters.reduce(0) { $0 + $1.byteCount } }

    package var hasPackedWeights: Bool { parameters.contains { $0.matrix?.isPacked == true } }

    /// Linear layers whose weights are not packed, where others' are; none where nothing is packed.
    package var denseLinears: [String] {
        let dense = linears.filter { $0.linear.weight.matrix?.isPacked != true }.map(\.name)
        return dense.count == linears.count ? [] : dense
    }

    /// Bytes of the logits that a pass of many tokens has at a time on an accelerator; 0 on the CPU, which goes through the
    /// vocabulary in chunks or holds few.
    package var acceleratorTileBytes: Int {
        guard device.kind != .cpu else { return 0 }
        let hasFusedLayers = [.float32, .bfloat16].contains(computeType) && device.kernelFault == nil
        let elements = LanguageModelHead.tileElements(onDevice: hasFusedLayers)
        // Without the kernel they are there in float32 too, capped, with their exponentials, their gradient and its factors.
        return elements * (hasFusedLayers ? computeType.size : computeType.size + 5 * 4)
    }

    // MARK: Passes

    /// Tells which examples a step has: a micro-batch may go through the model in parts.
    package func beginStep(_ layouts: [SequenceLayout]) {
        guard microBatchSize > 0 else { return }
        microBatches = layouts.flatMap(\.numbers).reduce(into: [:]) { $0[$1 / microBatchSize, default: 0] += 1 }
    }

    /// Whether the sequences of a pass may have a beginning in common (``SequenceLayout/sharedPrefix``): where this project's
    /// own attention computes them, and nothing random makes the same tokens differ.
    /// - Parameter training: in passes with gradient, where dropout and noise work.
    package func sharesBeginnings(training: Bool) -> Bool {
        let isRandom = embeddingNoise > 0 || linears.contains { ($0.linear.adapter?.dropout ?? 0) > 0 }
        // Sequences of other lengths may rotate the same tokens by other angles.
        let countsTokens = training && configuration.routerLossCoefficient != nil
        guard device.kind == .cpu, !(training && isRandom), !countsTokens, !configuration.dependsOnLength else {
            return false
        }
        return configuration.layers.allSatisfy { layer in
            let query = try? Tensor.zeros([1, 1, layer.attention.headDimension]).to(computeType)
            return layer.attention.hasPlainScores
                && query?.hasPackedAttention(softcap: layer.attention.softcap) ?? false
        }
    }

    /// The states after the last layer and its norm, from which the head makes logits.
    /// - Parameters:
    ///   - inputIDs: `[layout.tokenCount]` token ids.
    ///   - caches: earlier tokens of each sequence in `layout`, which take up the new ones; none where none are kept. Several
    ///     only where ``generatesTogether``, and all sequences have at most `Torch.fewRows` tokens.
    /// - Returns: `[tokens, hidden]` in ``computeType``, or in float32 where a few tokens follow those in a cache: their products
    ///   are bound by reading the weights, whatever they are computed in.
    package func hiddenStates(
        inputIDs: [Int32], layout: SequenceLayout, caches: [KeyValueCache] = []
    ) throws -> Tensor {
        precondition(inputIDs.count == layout.tokenCount, "as many tokens as the layout says")
        precondition(caches.isEmpty || layout.lengths.count == caches.count, "a cache holds one sequence")
        let isFew = !caches.isEmpty && inputIDs.count <= Torch.fewRows && generatesTogether
        precondition(caches.count <= 1 || isFew, "several sequences go on by a few tokens")
        let context = try AttentionContext(
            layout: layout, offsets: caches.map(\.count), isFew: isFew, randomKey: isGradientEnabled ? randomKey : nil,
            device: device)
        let type = isFew ? .float32 : computeType
        var states = try embed(inputIDs, type)
        if let positions { states = try states + embed(context, positions, type) }
        if isGradientEnabled, microBatchSize > 0, let coefficient = configuration.routerLossCoefficient {
            context.routerLoss = try RouterLoss(
                coefficient: coefficient, layout: layout, microBatchSize: microBatchSize,
                examples: microBatches, device: device)
        }
        if embeddingNoise > 0, let keys = try context.rowKeys() {
            states = try states + noise(layout, keys, dtype: states.dtype)
        }
        for (index, layer) in layers.enumerated() {
            if index < checkpointedLayers, caches.isEmpty {
                let trained = layer.parameters.filter(\.isTrained).map(\.tensor)
                states = try checkpointed(states, parameters: trained) {
                    try layer($0, context: context, caches: [])
                }
            } else {
                states = try layer(states, context: context, caches: caches.map { $0.layers[index] })
            }
        }
        for (cache, length) in zip(caches, layout.lengths) { cache.advance(by: length) }
        if isGradientEnabled { routerLoss = context.routerLoss?.value ?? 0 }
        states = try finalNorm(states)
        // Here instead of the logits, which are never all there.
        return configuration.logitScale == 1 ? states : try states * configuration.logitScale
    }

    /// Whether a few tokens of several sequences, each with those before it in a cache, can go through the model together.
    var generatesTogether: Bool { device.kind == .cpu && Torch.hasOwnProducts }

    /// The logits of every token.
    /// - Returns: `[tokens, vocabulary]` in float32; large for large vocabularies, so losses do not use it.
    package func logits(inputIDs: [Int32], layout: SequenceLayout) throws -> Tensor {
        try head.logits(hiddenStates(inputIDs: inputIDs, layout: layout))
    }

    /// What it costs to predict the labels.
    /// - Parameters:
    ///   - inputIDs: `[tokens]`.
    ///   - labels: `[tokens]`; the label of a token is that token or −100. The prediction for label i is made at
    ///     token i − 1, so the label of a sequence's first token is never used.
    ///   - labelSmoothing: the share of each target's probability that is spread evenly over the vocabulary.
    /// - Returns: the losses of the used labels, and where these are.
    package func loss(
        inputIDs: [Int32], labels: [Int32], layout: SequenceLayout, labelSmoothing: Double = 0
    ) throws -> (losses: TokenLosses, predictions: [SequenceLayout.Prediction]) {
        precondition(labels.count == inputIDs.count)
        let predictions = layout.predictions(of: labels)
        guard !predictions.isEmpty else {
            return (TokenLosses(sum: try Tensor([Float(0)], shape: []), values: [], isCorrect: []), [])
        }
        let states = try hiddenStates(inputIDs: inputIDs, layout: layout)
        let distinct = DistinctPredictions(predictions, labels: labels, layout: layout)
        let rows = try states.indexed(by: Tensor(distinct.states, device: device), along: 0)
        let losses = try head.loss(
            rows, targets: distinct.targets, counts: layout.sharedPrefix > 0 ? distinct.counts : nil,
            smoothing: labelSmoothing)
        return (losses.spread(over: distinct.rows), predictions)
    }

    /// `[tokens, hidden]`.
    private func noise(_ layout: SequenceLayout, _ keys: RowKeys, dtype: DType) throws -> Tensor {
        let bounds = layout.lengths.flatMap { length in
            let bound = Float(embeddingNoise / Double(length * configuration.hiddenSize).squareRoot())
            return Array(repeating: bound, count: length)
        }
        let noise = try Tensor.noise(
            columns: configuration.hiddenSize, keys.keys(for: RowKeys.identifier(of: embedding.name)))
        return try (noise * Tensor(bounds).unsqueezed(1)).to(dtype).to(device)
    }

    private func embed(_ inputIDs: [Int32], _ type: DType) throws -> Tensor {
        if let outside = inputIDs.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
            throw ModelError(
                .mismatch, "token id \(outside) is outside the model's vocabulary of \(configuration.vocabularySize).",
                advice: "Use the tokenizer that belongs to the model.")
        }
        let indices = try Tensor(inputIDs.map(Int64.init), device: device)
        let states = try embedding.rows(at: indices).to(type)
        guard configuration.embeddingScale != 1 else { return states }
        // Gemma rounds its factor to the type of the embeddings.
        let scale = try Tensor([Float(configuration.embeddingScale)], device: device).to(computeType)
        return try states * scale.to(type)
    }

    private func embed(_ context: AttentionContext, _ table: Parameter, _ type: DType) throws -> Tensor {
        let count = table.shape[0]
        if let beyond = context.positions.first(where: { $0 >= count }) {
            throw ModelError(
                .mismatch, "position \(beyond) is outside of the model's \(count) positions.",
                advice: "Give it shorter sequences.")
        }
        return try table.rows(at: context.indices).to(type)
    }

    // MARK: Parameters

    /// Every linear layer with the name that transformers gives it, without `.weight`.
    package var linears: [(name: String, linear: Linear)] { layers.flatMap(\.linears) }

    /// The mixtures of experts of the layers that have one.
    var experts: [Experts] { layers.compactMap(\.experts) }

    /// Every weight once, adapters included.
    package var parameters: [Parameter] {
        [embedding] + (positions.map { [$0] } ?? []) + layers.flatMap(\.parameters) + finalNorm.parameters
            + (configuration.tiesEmbeddings ? [] : [head.weight]) + (head.bias.map { [$0] } ?? [])
    }

    /// Weights, adapters included.
    package var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// What an optimizer is to change.
    package var trainedParameters: [Parameter] { parameters.filter(\.isTrained) }

    /// Weights that an optimizer is to change.
    package var trainedParameterCount: Int { trainedParameters.reduce(0) { $0 + $1.tensor.count } }

    /// Prepares full fine-tuning: every weight becomes a float32 leaf.
    package func trainAllParameters() throws {
        for parameter in parameters where !parameter.isBuffer { try parameter.train() }
    }
}
