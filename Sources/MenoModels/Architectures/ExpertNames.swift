/// What a mixture of experts is called beside the names of its parts.
struct ExpertNames: Sendable {
    /// Files that have one tensor for a matrix of all experts, as transformers 5 holds them: `[experts, …]`.
    struct Stack: Sendable {
        /// Names in a layer: of gates and ups one after the other, and of downs.
        var gateUp, down: String
        /// Whether gates and ups take turns.
        var takesTurns = false
        /// Whether an expert's matrix is `[in, out]`.
        var isTransposed = false
    }

    /// transformers' modules in a layer, after which adapters are called.
    var module = "mlp.experts"
    var router = "mlp.gate"
    /// The stacks that files may have, the one that transformers writes first.
    var stacks = [Stack(gateUp: "mlp.experts.gate_up_proj", down: "mlp.experts.down_proj")]
    /// Whether transformers writes stacks, and not a tensor for each expert.
    var writesStacks = false
    /// What PEFT takes for names of experts in `target_modules`, by the parameters that it adapts instead: names of
    /// modules that are there before transformers 5.
    var formerNames: [String: String] = [:]
}

extension WeightNames {
    /// Mixtral's names of experts.
    var withMixtralExperts: WeightNames {
        var names = without(.gate, .up, .down).with([
            .router: ("block_sparse_moe.gate", "ffn_gate_inp"),
            .expertGate: ("block_sparse_moe.experts.*.w1", "ffn_gate_exps"),
            .expertUp: ("block_sparse_moe.experts.*.w3", "ffn_up_exps"),
            .expertDown: ("block_sparse_moe.experts.*.w2", "ffn_down_exps"),
        ])
        names.experts.formerNames = [
            "gate": "gate.weight", "w1": "gate_up_proj", "w3": "gate_up_proj", "w2": "down_proj",
        ]
        return names
    }

    /// Qwen's names of experts, which most others have too.
    var withExperts: WeightNames {
        var names = with([
            .router: ("mlp.gate", "ffn_gate_inp"), .expertGate: ("mlp.experts.*.gate_proj", "ffn_gate_exps"),
            .expertUp: ("mlp.experts.*.up_proj", "ffn_up_exps"),
            .expertDown: ("mlp.experts.*.down_proj", "ffn_down_exps"),
        ])
        names.experts.formerNames = [
            "gate": "gate.weight", "gate_proj": "gate_up_proj", "up_proj": "gate_up_proj", "down_proj": "down_proj",
        ]
        return names
    }

    /// Names of experts that every token meets.
    func withSharedExperts(_ module: String) -> WeightNames {
        with([
            .sharedGate: ("\(module).gate_proj", "ffn_gate_shexp"), .sharedUp: ("\(module).up_proj", "ffn_up_shexp"),
            .sharedDown: ("\(module).down_proj", "ffn_down_shexp"),
        ])
    }
}
