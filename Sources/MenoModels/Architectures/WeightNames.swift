/// A part of a model that has weights.
package enum WeightPart: CaseIterable, Sendable, Hashable {
    // The whole model's.
    case embedding, positions, finalNorm, head
    // A layer's; linear ones in the order in which they are computed.
    case query, key, value, queryKeyValue, output
    case gate, up, gateUp, down
    case attentionNorm, postAttentionNorm, feedForwardNorm, postFeedForwardNorm
    case queryNorm, keyNorm
    // Of a mixture of experts: what chooses them, each expert's own, and those that every token meets.
    case router, expertGate, expertUp, expertDown
    case sharedGate, sharedUp, sharedGateUp, sharedDown, sharedRouter

    package var isInLayer: Bool { ![.embedding, .positions, .finalNorm, .head].contains(self) }
    package var isLinear: Bool { Self.linear.contains(self) }
    /// Whether there is one for each expert.
    var isOfExpert: Bool { [.expertGate, .expertUp, .expertDown].contains(self) }
    /// Whether its weight is quantised where linear layers are. What chooses experts is small, and its errors are large.
    var isQuantized: Bool { isInLayer && self != .router && self != .sharedRouter }

    static let linear: [WeightPart] = [
        .query, .key, .value, .queryKeyValue, .output, .gate, .up, .gateUp, .down, .sharedGate, .sharedUp,
        .sharedGateUp, .sharedDown, .sharedRouter,
    ]
}

/// What the parts of an architecture are called by transformers and in GGUF files, read in both directions.
package struct WeightNames: Sendable {
    /// `*` stands for the number of an expert, or of a head.
    package typealias Name = (transformers: String, gguf: String)
    private var names: [WeightPart: Name]
    /// What mixtures of experts are called besides.
    var experts = ExpertNames()
    /// What comes before the number of a layer in transformers' names.
    var layerPrefix = "model.layers."
    /// What norms are called in a layer where both blocks have one of the same states.
    var parallelNorms: [WeightPart: String] = [:]
    /// Whether transformers' files have linear layers as `[in, out]` (`Conv1D`).
    var isTransposed = false
    /// Names of what a layer has beside weights and biases of its parts, in full but for the layer.
    private static let others = [
        (transformers: "self_attn.sinks", gguf: "attn_sinks.weight"),
        (transformers: "mlp.gate.e_score_correction_bias", gguf: "exp_probs_b.bias"),
        // Falcon's norms, where both blocks have one of the same states.
        (transformers: "ln_attn.weight", gguf: "attn_norm_2.weight"),
        (transformers: "ln_attn.bias", gguf: "attn_norm_2.bias"),
        (transformers: "ln_mlp.weight", gguf: "attn_norm.weight"),
        (transformers: "ln_mlp.bias", gguf: "attn_norm.bias"),
    ]

    package static let llama = WeightNames(names: [
        .embedding: ("model.embed_tokens", "token_embd"), .finalNorm: ("model.norm", "output_norm"),
        .head: ("lm_head", "output"),
        .query: ("self_attn.q_proj", "attn_q"), .key: ("self_attn.k_proj", "attn_k"),
        .value: ("self_attn.v_proj", "attn_v"), .output: ("self_attn.o_proj", "attn_output"),
        .gate: ("mlp.gate_proj", "ffn_gate"), .up: ("mlp.up_proj", "ffn_up"), .down: ("mlp.down_proj", "ffn_down"),
        .attentionNorm: ("input_layernorm", "attn_norm"), .feedForwardNorm: ("post_attention_layernorm", "ffn_norm"),
    ])

    /// With other names, or more.
    func with(_ changes: [WeightPart: Name]) -> WeightNames {
        var changed = self
        changed.names.merge(changes) { $1 }
        return changed
    }

    func without(_ parts: WeightPart...) -> WeightNames {
        var changed = self
        changed.names = names.filter { !parts.contains($0.key) }
        return changed
    }

    // MARK: Variants that several have

    var withQueryKeyNorms: WeightNames {
        with([.queryNorm: ("self_attn.q_norm", "attn_q_norm"), .keyNorm: ("self_attn.k_norm", "attn_k_norm")])
    }

    /// Norms of what the blocks take and of what they give, as in Gemma 2.
    var withNormsOnBothSides: WeightNames {
        with([
            .postAttentionNorm: ("post_attention_layernorm", "post_attention_norm"),
            .feedForwardNorm: ("pre_feedforward_layernorm", "ffn_norm"),
            .postFeedForwardNorm: ("post_feedforward_layernorm", "post_ffw_norm"),
        ])
    }

    /// Norms of what the blocks give alone, as in OLMo 2.
    var withNormsOfOutputs: WeightNames { withNormsOnBothSides.without(.attentionNorm, .feedForwardNorm) }

    var withFusedAttention: WeightNames {
        without(.query, .key, .value).with([.queryKeyValue: ("self_attn.qkv_proj", "attn_qkv")])
    }

    var withFusedGate: WeightNames { without(.gate, .up).with([.gateUp: ("mlp.gate_up_proj", "ffn_up")]) }

    // MARK: Reading

    /// The last parts of transformers' names of all linear layers but the head, that PEFT can adapt.
    package var linearNames: [String] {
        let all = WeightPart.linear.compactMap { names[$0]?.transformers.split(separator: ".").last.map(String.init) }
        // Where experts are called like the layers of a feed-forward block, PEFT takes the name for theirs.
        let own = all.filter { experts.formerNames[$0] == nil }
        return own.enumerated().filter { !own[..<$0.offset].contains($0.element) }.map(\.element)
    }

    /// Whether the architecture has this part.
    package func has(_ part: WeightPart) -> Bool { names[part] != nil }

    /// transformers' name of a part where the text model stands alone, without `.weight`.
    package func transformers(_ part: WeightPart, layer: Int? = nil, expert: Int? = nil) -> String {
        let name = name(part).transformers
        return (layer.map { "\(layerPrefix)\($0)." } ?? "")
            + (expert.map { name.replacing("*", with: String($0)) } ?? name)
    }

    /// The name in a GGUF file, without `.weight`.
    package func gguf(_ part: WeightPart, layer: Int? = nil) -> String {
        (layer.map { "blk.\($0)." } ?? "") + name(part).gguf
    }

    private func name(_ part: WeightPart) -> Name {
        guard let name = names[part] else { preconditionFailure("an architecture without a name of its \(part)") }
        return name
    }

    /// A weight as its part, its layer, its expert, and what follows the part's name: `weight` or `bias`.
    package typealias Place = (part: WeightPart, layer: Int?, expert: Int?, kind: String)

    /// The place of transformers' `model.layers.0.self_attn.q_proj.weight`.
    package func place(transformers name: String) -> Place? { place(name, layers: layerPrefix, \.transformers) }

    /// The GGUF name of what a layer has beside weights and biases of its parts.
    func gguf(other name: String) -> String? {
        let parts =
            name.hasPrefix(layerPrefix) ? name.dropFirst(layerPrefix.count).split(separator: ".", maxSplits: 1) : []
        guard parts.count == 2, let found = Self.others.first(where: { $0.transformers == parts[1] }) else {
            return nil
        }
        return "blk.\(parts[0]).\(found.gguf)"
    }

    /// The place of a GGUF file's `blk.0.attn_q.weight`.
    package func place(gguf name: String) -> Place? { place(name, layers: "blk.", \.gguf) }

    private func place(_ name: String, layers: String, _ side: KeyPath<Name, String>) -> Place? {
        guard let dot = name.lastIndex(of: ".") else { return nil }
        var (module, layer) = (String(name[..<dot]), Int?.none)
        if module.hasPrefix(layers) {
            let parts = module.dropFirst(layers.count).split(separator: ".", maxSplits: 1)
            guard parts.count == 2, let index = Int(parts[0]) else { return nil }
            (module, layer) = (String(parts[1]), index)
        }
        let (general, expert) = Self.withoutExpert(module)
        let found = names.first {
            [module, general].contains($0.value[keyPath: side]) && $0.key.isInLayer == (layer != nil)
        }
        return found.map {
            ($0.key, layer, $0.value.transformers.contains("*") ? expert : nil, String(name[name.index(after: dot)...]))
        }
    }

    /// `mlp.experts.3.up_proj` as `mlp.experts.*.up_proj` and 3.
    private static func withoutExpert(_ module: String) -> (general: String, expert: Int?) {
        var parts = module.split(separator: ".").map(String.init)
        guard let index = parts.firstIndex(where: { Int($0) != nil }) else { return (module, nil) }
        let expert = Int(parts[index])
        parts[index] = "*"
        return (parts.joined(separator: "."), expert)
    }
}
