/// The boundaries of sequences in a packed batch.
package struct SequenceBoundaries {
    /// Each sequence's first token, and the end of the last one: `[sequences + 1]`.
    let offsets: [Int]
    let shared: Int
    let longest: Int
    /// The same as an int32 tensor for a kernel on an accelerator.
    let tensor: Tensor?

    /// - Parameters:
    ///   - lengths: the number of tokens of each sequence.
    ///   - shared: the length of the prefix of the first sequence that all others share; CPU only.
    package init(lengths: [Int], shared: Int = 0, device: Device) throws {
        precondition(shared == 0 || device.kind == .cpu, "no accelerator kernel supports a shared prefix")
        offsets = lengths.reduce(into: [0]) { $0.append($0.last! + $1) }
        self.shared = shared
        longest = max(lengths.first ?? 0, (lengths.dropFirst().max() ?? 0) + shared)
        tensor = device.kind == .cpu ? nil : try Tensor(offsets.map(Int32.init), device: device)
    }
}

extension Tensor {
    /// Whether ``packedAttention(query:key:value:boundaries:window:scale:softcap:)`` supports queries like these.
    package func hasPackedAttention(softcap: Double?) -> Bool {
        switch device.kind {
        case .cpu: return Kernels.take(.attention, self)
        case .cuda: return isHalf && size(-1) <= 256 && size(-1) % 8 == 0 && softcap == nil
        default: return false
        }
    }

    private var isHalf: Bool { dtype == .bfloat16 || dtype == .float16 }

    /// Causal attention in a packed batch, within each sequence and to the shared prefix, as one autograd node (Dao, 2023,
    /// arXiv:2307.08691). Results are reproducible bit for bit.
    /// - Parameters:
    ///   - query: `[tokens, heads, headDimension]`.
    ///   - key: `[tokens, keyValueHeads, headDimension]`, where `heads` is a multiple of `keyValueHeads`.
    ///   - value: like `key`.
    ///   - window: the number of keys that a query sees, up to and including its own; `nil`: all.
    ///   - softcap: if set, softcap · tanh(scores / softcap) replaces the scores.
    /// - Returns: `[tokens, heads, headDimension]`.
    package static func packedAttention(
        query: Tensor, key: Tensor, value: Tensor, boundaries: SequenceBoundaries, window: Int?, scale: Double,
        softcap: Double? = nil
    ) throws -> Tensor {
        // A window hides nothing if no sequence is longer.
        let window = window.flatMap { boundaries.longest > $0 ? $0 : nil }
        if query.device.kind == .cpu {
            return try hostAttention(
                [query, key, value], boundaries: boundaries, window: window, scale: scale, softcap: softcap)
        }
        return try flashAttention([query, key, value], boundaries: boundaries, window: window, scale: scale)
    }

    /// Causal attention of a few new tokens of one sequence to earlier ones and each other, without a gradient.
    /// - Parameters:
    ///   - query: `[tokens, heads, headDimension]`, float32 on the CPU, like `key` and `value`.
    ///   - cache: keys and values `[capacity, keyValueHeads, headDimension]`, filled with `before` tokens; the new ones are
    ///     appended.
    ///   - window: the number of keys that a query sees, up to and including its own; `nil`: all.
    /// - Returns: `[tokens, heads, headDimension]`.
    package static func cachedAttention(
        query: Tensor, key: Tensor, value: Tensor, cache: (keys: Tensor, values: Tensor), before: Int, window: Int?,
        scale: Double, softcap: Double?
    ) throws -> Tensor {
        try Kernels.cachedAttention.one([
            .tensor(query.contiguous()), .tensor(key.contiguous()), .tensor(value.contiguous()), .tensor(cache.keys),
            .tensor(cache.values), .int(before), .int(window ?? 0), .double(scale), .double(softcap ?? 0),
        ])
    }

    private static func hostAttention(
        _ inputs: [Tensor], boundaries: SequenceBoundaries, window: Int?, scale: Double, softcap: Double?
    ) throws -> Tensor {
        let sides = try inputs.map { OperatorArgument.tensor(try $0.contiguous().detached()) }
        let layout: [OperatorArgument] = [
            .ints(boundaries.offsets), .int(boundaries.shared), .int(window ?? 0), .double(scale),
            .double(softcap ?? 0),
        ]
        let results = try Kernels.attention(sides + layout)
        let (output, logSums) = (results[0]!, results[1]!)
        guard isGradientEnabled, inputs.contains(where: \.requiresGradient) else { return output }
        return try customNode(inputs: inputs, outputs: [output]) { gradients in
            guard let gradient = try gradients[0]?.contiguous() else { return inputs.map { _ in nil } }
            return try Kernels.attentionBackward(
                [.tensor(gradient)] + sides + [.tensor(output), .tensor(logSums)] + layout)
        }[0]
    }

    private static func flashAttention(
        _ inputs: [Tensor], boundaries: SequenceBoundaries, window: Int?, scale: Double
    ) throws -> Tensor {
        guard let offsets = boundaries.tensor.map(OperatorArgument.tensor) else {
            preconditionFailure("boundaries of another device")
        }
        let (query, key, value) = (
            OperatorArgument.tensor(inputs[0]), OperatorArgument.tensor(inputs[1]), OperatorArgument.tensor(inputs[2])
        )
        let longest = OperatorArgument.int(boundaries.longest)
        let keysBefore = window.map { OperatorArgument.int($0 - 1) } ?? .none
        let results = try withoutGradient {
            try ATen.flashAttention(
                query, key, value, offsets, offsets, longest, longest, .double(0), .bool(true), .bool(false),
                .double(scale),
                keysBefore, results: 5)
        }
        let output = results[0]!
        guard isGradientEnabled, inputs.contains(where: \.requiresGradient) else { return output }
        // libtorch's own node is not used: its sums have no fixed order unless deterministic mode is on for every operator.
        return try customNode(inputs: inputs, outputs: [output]) { gradients in
            guard let gradient = gradients[0] else { return inputs.map { _ in nil } }
            return try Torch.withFixedOrder {
                try ATen.flashAttentionBackward(
                    .tensor(gradient), query, key, value, .tensor(output), .optional(results[1]), offsets, offsets,
                    longest,
                    longest, .double(0), .bool(true), .optional(results[2]), .optional(results[3]), .double(scale),
                    keysBefore)
            }
        }[0]
    }
}
