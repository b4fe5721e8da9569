package import MenoModels
internal import MenoTensor

/// How many tokens go through a model together, from the memory that there is.
///
/// The cost of a pass is measured on two small ones and is taken to grow linearly with their examples: attention is
/// computed example by example, and no logits outlive their tile.
package struct MemoryPlan: Sendable {
    /// Tokens of a pass beyond which little is gained in speed. Where a processor's products are on its matrix unit, or the
    /// weights of a layer leave its caches, what passes have in common, such as reading the weights, is a larger part of
    /// them; on an accelerator, asking it for each operator.
    package static func preferredTokens(of model: Decoder) -> Int {
        guard model.device.kind == .cpu else { return acceleratorTokens(of: model) }
        let hasFastProducts = model.computeType == .bfloat16 && Torch.hasTileProducts
        return hasFastProducts || model.parameterCount >= 500_000_000 ? 1024 : 512
    }

    /// More than 2,048 only where no layer needs to be computed again for it. Depends on what is free now: a run asks once.
    private static func acceleratorTokens(of model: Decoder) -> Int {
        guard model.device.kind == .cuda, let available = MemoryLimit.available(on: model.device) else { return 2048 }
        return [8192, 4096].first { bound(model, tokens: $0, longest: 2048).bytes(checkpointed: 0) < available / 2 }
            ?? 2048
    }

    /// The share of the available memory that is planned with; the rest is for what is not measured.
    private static let usableShare = 0.9

    /// Bytes held before any pass: weights, adapters, the optimizer's state, the program.
    package var resident: Int
    /// Bytes that could be taken beyond them; `nil`: unknown.
    package var available: Int?
    /// Tokens of the longest example, which stands for all.
    package var exampleLength: Int
    /// A pass of n of them takes at its height ``fixedBytes`` + n · ``bytesPerExample``.
    package var fixedBytes: Int
    package var bytesPerExample: Int
    /// Seconds of a forward and backward pass for each token, and of a forward pass alone.
    package var trainingSecondsPerToken: Double
    package var evaluationSecondsPerToken: Double
    /// See ``preferredTokens(of:)``.
    package var preferredTokens: Int

    /// Bytes that a training pass stays below, beyond what is held before it, for any model: at least half as much again as
    /// what layers keep for their backward pass, all in float32. Where memory holds a multiple of it, nothing needs to be
    /// measured.
    struct Bound {
        var layerCount: Int
        /// Of a layer that keeps its inner values.
        var layer: Int
        /// Of everything else.
        var rest: Int

        /// - Parameter checkpointed: layers that do not keep them, of which one at a time has them again.
        func bytes(checkpointed: Int) -> Int { rest + layer * min(layerCount, layerCount - checkpointed + 1) }

        /// The fewest layers that must be checkpointed for a pass to stay below some bytes; all where none are few enough.
        func checkpointedLayers(below bytes: Int) -> Int {
            (0..<layerCount).first { self.bytes(checkpointed: $0) < bytes } ?? layerCount
        }
    }

    /// See ``Bound``; `longest`: tokens of the longest example.
    static func bound(_ model: Decoder, tokens: Int, longest: Int) -> Bound {
        let shape = model.configuration
        // Attention's weights are kept only where they are soft-capped, and not even there by this project's own kernel.
        let weights = shape.attentionSoftcap == nil ? 0 : 3 * shape.headCount * longest
        let layer =
            10 * shape.hiddenSize + 6 * shape.headCount * shape.headDimension + 5 * shape.activeIntermediateSize
            + weights
            // A token is copied for each expert that it meets, and what they give is weighed and put back into order.
            + 6 * shape.chosenExpertCount * shape.hiddenSize
        let head = 6 * shape.hiddenSize + 4096  // states, their gradients, tiles of logits
        let trained = model.trainedParameterCount
        // Whatever is checkpointed, the states between the layers are kept.
        let states = shape.layerCount * shape.hiddenSize
        return Bound(
            layerCount: shape.layerCount, layer: 4 * tokens * layer,
            rest: 4 * (tokens * (head + states) + 2 * trained) + commonBytes(model, tokens: tokens)
                + model.acceleratorTileBytes + (256 << 20))
    }

    /// Bytes of the gradients of the keys and values of a common beginning, of every sequence of a pass that has it.
    private static func commonBytes(_ model: Decoder, tokens: Int) -> Int {
        guard model.sharesBeginnings(training: true) else { return 0 }
        let values = 2 * model.configuration.headCount * model.configuration.headDimension
        return 4 * (PassPlan.mostSequenceTokens - 1) * tokens * values
    }

    /// Measures passes of a model that is ready to train.
    /// - Parameters:
    ///   - objective: what the passes compute.
    ///   - longest: tokens of the longest example.
    ///   - preferredTokens: see ``preferredTokens(of:)``.
    ///   - examples: of the two passes measured; larger ones take longer and tell more. Where no pass will hold more than
    ///     one of the longest, one is measured.
    /// - Returns: `nil` where the system does not tell what is needed.
    /// - Throws: `TorchError` with `outOfMemory` where not even one example fits.
    package static func measure(
        _ model: Decoder, objective: any Objective = SupervisedObjective(), longest: Int, preferredTokens: Int,
        examples: (small: Int, large: Int) = (1, 2)
    ) throws -> MemoryPlan? {
        let available = MemoryLimit.available(on: model.device)
        let examples = longest >= preferredTokens ? (small: 0, large: 1) : examples
        let counts = [examples.small, examples.large].filter { $0 > 0 }
        let probe = PassProbe(model: model, objective: objective)
        guard let measured = try probe.measure(length: longest, examples: counts) else { return nil }
        let small = counts.count > 1 ? measured.bytes[0] : 0
        let large = measured.bytes.last!
        let slope = max(0, large - small) / (examples.large - examples.small)
        return MemoryPlan(
            resident: measured.resident, available: available, exampleLength: longest,
            // The passes that are measured have nothing in common.
            fixedBytes: max(0, large - slope * examples.large)
                + commonBytes(model, tokens: max(longest, preferredTokens)), bytesPerExample: slope,
            trainingSecondsPerToken: measured.trainingSecondsPerToken,
            evaluationSecondsPerToken: measured.evaluationSecondsPerToken,
            preferredTokens: preferredTokens)
    }

    /// Bytes at the height of a pass of some tokens, all that was held before included.
    package func peak(tokens: Int) -> Int {
        resident + fixedBytes + Int(Double(bytesPerExample) * Double(tokens) / Double(exampleLength))
    }

    /// Replaces the linear estimate by a measurement of the passes of a step: theirs differ in length, and what the
    /// allocator keeps from one the next often cannot use.
    mutating func refine(_ probe: PassProbe, passes: [Pass]) throws {
        guard let largest = passes.map(\.inputIDs.count).max(),
            let measured = try probe.measure(passes)
        else { return }
        resident = measured.resident
        let linear = Int(Double(bytesPerExample) * Double(largest) / Double(exampleLength))
        fixedBytes = max(0, measured.bytes[0] - linear)
        if fixedBytes == 0 { bytesPerExample = measured.bytes[0] * exampleLength / largest }
        trainingSecondsPerToken = measured.trainingSecondsPerToken
        evaluationSecondsPerToken = measured.evaluationSecondsPerToken
    }

    /// The most tokens of a pass, at least those of the longest example and at most ``preferredTokens-swift.property`` or those.
    /// - Throws: ``TrainingError`` where the longest example does not fit.
    package func tokensPerPass() throws -> Int {
        guard let available else { return max(exampleLength, preferredTokens) }
        let usable = Int(Double(available) * Self.usableShare) - fixedBytes
        let examples = bytesPerExample > 0 ? usable / bytesPerExample : Int.max
        guard usable > 0, examples > 0 else {
            throw TrainingError(
                .outOfMemory,
                "an example of \(exampleLength) tokens needs \((fixedBytes + bytesPerExample) >> 20) MiB beside the "
                    + "model; \(available >> 20) MiB are available.",
                advice:
                    "Always checkpoint the activations, shorten the examples, or free memory; setting the number of tokens per pass "
                    + "overrides this estimate.",
                settings: [.gradientCheckpointing: "always", .maxLength: nil, .tokensPerPass: nil])
        }
        let wished = max(exampleLength, preferredTokens)
        let (fitting, overflow) = examples.multipliedReportingOverflow(by: exampleLength)
        return overflow ? wished : min(fitting, wished)
    }
}
