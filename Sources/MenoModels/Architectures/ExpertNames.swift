/// Names in a mixture of experts, in addition to those of its parts.
struct ExpertNames: Sendable {
    /// A layout with one tensor for the matrices of all experts, as in transformers 5: `[experts, …]`.
    struct Stack: Sendable {
        /// Names within a layer: of the tensor with gates followed by ups, and of the one with downs.
        var gateUp, down: String
        /// Whether rows of gates and ups alternate.
        var takesTurns = false
        /// Whether an expert's matrix is `[in, out]`.
        var isTransposed = false
    }

    /// transformers' name of the module within a layer, which adapters are named after.
    var module = "mlp.experts"
    var router = "mlp.gate"
    /// The stacks that files may have. The first is the one that transformers writes.
    var stacks = [Stack(gateUp: "mlp.experts.gate_up_proj", down: "mlp.experts.down_proj")]
    /// Whether transformers writes stacks instead of one tensor per expert.
    var writesStacks = false
    /// Module names from before transformers 5 that PEFT still accepts in `target_modules`, with the parameters that it adapts
    /// instead.
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

    /// Qwen's names of experts, which most other architectures share.
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

    /// Names of shared experts, which process every token.
    func withSharedExperts(_ module: String) -> WeightNames {
        with([
            .sharedGate: ("\(module).gate_proj", "ffn_gate_shexp"), .sharedUp: ("\(module).up_proj", "ffn_up_shexp"),
            .sharedDown: ("\(module).down_proj", "ffn_down_shexp"),
        ])
    }
}
