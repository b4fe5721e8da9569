package import MenoTensor

/// A decoder-only transformer with its language-model head, of any ``Architecture``.
///
/// Works on packed sequences (``SequenceLayout``). Not `Sendable`: it stays within the training loop.
package final class Decoder {
    package let configuration: DecoderConfiguration
    /// The type of dense frozen weights in memory.
    package let weightType: DType
    /// The type of activations: that of the weights, or float32 where weights in bfloat16 are multiplied in float32.
    package let computeType: DType
    package let device: Device
    /// The number of layers, counted from the first, that recompute their activations in the backward pass instead of keeping
    /// them (gradient checkpointing).
    ///
    /// The first layers, since their backward pass comes last, when the activations of later layers are free again.
    package var checkpointedLayers = 0
    /// α of NEFTune (Jain et al., 2023, arXiv:2310.05914): in passes with gradient, uniform noise within ±α / √(L·d) is
    /// added to the embeddings of a sequence of L tokens of d values. 0: none.
    package var embeddingNoise = 0.0
    /// The key of dropout and noise in passes with gradient, combined with the example's number (``SequenceLayout/numbers``), the
    /// token's position and the layer's name. Each optimizer step has a different key: `RowKeys.key(seed:step:)`.
    package var randomKey: UInt64 = 0
    /// The number of examples in a micro-batch, over which the router loss is computed
    /// (``DecoderConfiguration/routerLossCoefficient``). 0: no router loss.
    package var microBatchSize = 0
    /// The number of examples in each micro-batch of the step.
    private var microBatches: [Int: Int] = [:]
    /// The router loss of the last pass with gradient, summed over its micro-batches.
    package private(set) var routerLoss = 0.0
    /// Probabilities below this value enter the gradient of a frozen head through the centroid of their tokens' embeddings
    /// instead of one by one; 0: none do. The loss is exact either way. Default: 1e-6 with bfloat16 weights, whose rounding error
    /// is larger, and 0 otherwise.
    package var headGradientThreshold: Double {
        get { head.gradientThreshold }
        set { head.gradientThreshold = newValue }
    }

    let embedding: Parameter
    /// The learned position embeddings, where the model has them.
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

    /// The precision of the computation, in words.
    package var precision: String {
        let packed = Set(parameters.compactMap(\.matrix).filter(\.isPacked).map(\.format.description)).sorted()
        guard packed.isEmpty else { return "\(computeType) with packed weights (\(packed.joined(separator: ", ")))" }
        return weightType == computeType ? "\(computeType)" : "\(computeType) with \(weightType) weights"
    }

    /// Bytes of all weights in memory.
    package var weightBytes: Int { parameters.reduce(0) { $0 + $1.byteCount } }

    package var hasPackedWeights: Bool { parameters.contains { $0.matrix?.isPacked == true } }

    /// The linear layers that are not packed in a model where others are; empty if none is packed.
    package var denseLinears: [String] {
        let dense = linears.filter { $0.linear.weight.matrix?.isPacked != true }.map(\.name)
        return dense.count == linears.count ? [] : dense
    }

    /// Peak bytes of logits in a pass of many tokens on an accelerator; 0 on the CPU, which processes the vocabulary in chunks or
    /// holds few logits.
    package var acceleratorTileBytes: Int {
        guard device.kind != .cpu else { return 0 }
        let hasFusedLayers = [.float32, .bfloat16].contains(computeType) && device.kernelFault == nil
        let elements = LanguageModelHead.tileElements(onDevice: hasFusedLayers)
        // Without the kernel, float32 copies exist too: capped logits, exponentials, the gradient and its factors.
        return elements * (hasFusedLayers ? computeType.size : computeType.size + 5 * 4)
    }

    // MARK: Passes

    /// Announces the examples of a step, since a micro-batch may go through the model in several passes.
    package func beginStep(_ layouts: [SequenceLayout]) {
        guard microBatchSize > 0 else { return }
        microBatches = layouts.flatMap(\.numbers).reduce(into: [:]) { $0[$1 / microBatchSize, default: 0] += 1 }
    }

    /// Whether the sequences of a pass may share a prefix (``SequenceLayout/sharedPrefix``). They may where Meno's own attention
    /// kernel computes them and nothing random makes equal tokens differ.
    /// - Parameter training: whether the pass has a gradient and so applies dropout and noise.
    package func sharesBeginnings(training: Bool) -> Bool {
        let isRandom = embeddingNoise > 0 || linears.contains { ($0.linear.adapter?.dropout ?? 0) > 0 }
        // Where angles depend on the length, equal tokens may differ between sequences.
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

    /// The states after the last layer and the final norm, which the head turns into logits.
    /// - Parameters:
    ///   - inputIDs: `[layout.tokenCount]` token ids.
    ///   - caches: one cache for each sequence in `layout`, to which the new tokens are appended; empty without caching. More
    ///     than one only where ``generatesTogether``, with at most `Torch.fewRows` tokens in all.
    /// - Returns: `[tokens, hidden]` in ``computeType``, or in float32 where a few tokens are added to a cache: reading the
    ///   weights then takes the time, whatever type is computed in.
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
        // Scaled here because the full logits never exist.
        return configuration.logitScale == 1 ? states : try states * configuration.logitScale
    }

    /// Whether new tokens of several cached sequences can go through the model in one pass.
    var generatesTogether: Bool { device.kind == .cpu && Torch.hasOwnProducts }

    /// The logits of every token.
    /// - Returns: `[tokens, vocabulary]` in float32; large for large vocabularies, so losses do not use it.
    package func logits(inputIDs: [Int32], layout: SequenceLayout) throws -> Tensor {
        try head.logits(hiddenStates(inputIDs: inputIDs, layout: layout))
    }

    /// The cross-entropy of the labels.
    /// - Parameters:
    ///   - inputIDs: `[tokens]`.
    ///   - labels: `[tokens]`; the label of a token is that token or −100. The prediction for label i is made at
    ///     token i − 1, so the label of a sequence's first token is never used.
    ///   - labelSmoothing: the share of each target's probability that is spread evenly over the vocabulary.
    /// - Returns: the losses of the used labels, and the places of these predictions.
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
                .mismatch, "position \(beyond) is beyond the model's \(count) positions.",
                advice: "Use shorter sequences.")
        }
        return try table.rows(at: context.indices).to(type)
    }

    // MARK: Parameters

    /// Every linear layer with its name in transformers, without `.weight`.
    package var linears: [(name: String, linear: Linear)] { layers.flatMap(\.linears) }

    /// The mixtures of experts of the layers that have one.
    var experts: [Experts] { layers.compactMap(\.experts) }

    /// Every weight once, including adapters.
    package var parameters: [Parameter] {
        [embedding] + (positions.map { [$0] } ?? []) + layers.flatMap(\.parameters) + finalNorm.parameters
            + (configuration.tiesEmbeddings ? [] : [head.weight]) + (head.bias.map { [$0] } ?? [])
    }

    /// The number of weights, including adapters.
    package var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// The weights that an optimizer updates.
    package var trainedParameters: [Parameter] { parameters.filter(\.isTrained) }

    /// The number of weights that an optimizer updates.
    package var trainedParameterCount: Int { trainedParameters.reduce(0) { $0 + $1.tensor.count } }

    /// Prepares full fine-tuning: every weight becomes a float32 leaf.
    package func trainAllParameters() throws {
        for parameter in parameters where !parameter.isBuffer { try parameter.train() }
    }
}
