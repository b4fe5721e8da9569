/// A part of a model that has weights.
package enum WeightPart: CaseIterable, Sendable, Hashable {
    // The whole model's.
    case embedding, positions, finalNorm, head
    // A layer's; linear ones in the order in which they are computed.
    case query, key, value, queryKeyValue, output
    case gate, up, gateUp, down
    case attentionNorm, postAttentionNorm, feedForwardNorm, postFeedForwardNorm
    case queryNorm, keyNorm
    // Of a mixture of experts: the router, each expert, and the shared experts.
    case router, expertGate, expertUp, expertDown
    case sharedGate, sharedUp, sharedGateUp, sharedDown, sharedRouter

    package var isInLayer: Bool { ![.embedding, .positions, .finalNorm, .head].contains(self) }
    package var isLinear: Bool { Self.linear.contains(self) }
    /// Whether each expert has one.
    var isOfExpert: Bool { [.expertGate, .expertUp, .expertDown].contains(self) }
    /// Whether its weight is quantised along with linear layers. Routers are not: they are small, and their errors cost much.
    var isQuantized: Bool { isInLayer && self != .router && self != .sharedRouter }

    static let linear: [WeightPart] = [
        .query, .key, .value, .queryKeyValue, .output, .gate, .up, .gateUp, .down, .sharedGate, .sharedUp,
        .sharedGateUp, .sharedDown, .sharedRouter,
    ]
}

/// Names of an architecture's parts in transformers and in GGUF files, and the mapping between them in both directions.
package struct WeightNames: Sendable {
    /// `*` stands for the number of an expert or a head.
    package typealias Name = (transformers: String, gguf: String)
    private var names: [WeightPart: Name]
    /// Further names of mixtures of experts.
    var experts = ExpertNames()
    /// The prefix of a layer's number in transformers' names.
    var layerPrefix = "model.layers."
    /// Names of the norms in layers where both blocks normalize the same states.
    var parallelNorms: [WeightPart: String] = [:]
    /// Whether transformers' files have linear layers as `[in, out]` (`Conv1D`).
    var isTransposed = false
    /// Full names within a layer of tensors that are not the weight or bias of a part.
    private static let others = [
        (transformers: "self_attn.sinks", gguf: "attn_sinks.weight"),
        (transformers: "mlp.gate.e_score_correction_bias", gguf: "exp_probs_b.bias"),
        // Falcon's norms in layers where both blocks normalize the same states.
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

    /// A copy with some names changed or added.
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

    // MARK: Variants that several architectures share

    var withQueryKeyNorms: WeightNames {
        with([.queryNorm: ("self_attn.q_norm", "attn_q_norm"), .keyNorm: ("self_attn.k_norm", "attn_k_norm")])
    }

    /// Norms before and after each block, as in Gemma 2.
    var withNormsOnBothSides: WeightNames {
        with([
            .postAttentionNorm: ("post_attention_layernorm", "post_attention_norm"),
            .feedForwardNorm: ("pre_feedforward_layernorm", "ffn_norm"),
            .postFeedForwardNorm: ("post_feedforward_layernorm", "post_ffw_norm"),
        ])
    }

    /// Norms only after each block, as in OLMo 2.
    var withNormsOfOutputs: WeightNames { withNormsOnBothSides.without(.attentionNorm, .feedForwardNorm) }

    var withFusedAttention: WeightNames {
        without(.query, .key, .value).with([.queryKeyValue: ("self_attn.qkv_proj", "attn_qkv")])
    }

    var withFusedGate: WeightNames { without(.gate, .up).with([.gateUp: ("mlp.gate_up_proj", "ffn_up")]) }

    // MARK: Reading

    /// The last components of transformers' names of all linear layers that PEFT can adapt, except the head.
    package var linearNames: [String] {
        let all = WeightPart.linear.compactMap { names[$0]?.transformers.split(separator: ".").last.map(String.init) }
        // Where experts have the names of a feed-forward block's layers, PEFT takes such a name to mean the experts.
        let own = all.filter { experts.formerNames[$0] == nil }
        return own.enumerated().filter { !own[..<$0.offset].contains($0.element) }.map(\.element)
    }

    /// Whether the architecture has this part.
    package func has(_ part: WeightPart) -> Bool { names[part] != nil }

    /// transformers' name of a part in a standalone text model, without `.weight`.
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

    /// A weight, identified by its part, its layer, its expert, and its kind: `weight` or `bias`.
    package typealias Place = (part: WeightPart, layer: Int?, expert: Int?, kind: String)

    /// The place of transformers' `model.layers.0.self_attn.q_proj.weight`.
    package func place(transformers name: String) -> Place? { place(name, layers: layerPrefix, \.transformers) }

    /// The GGUF name of a layer's tensor that is not the weight or bias of a part.
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
