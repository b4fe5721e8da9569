internal import MenoModels

extension ConfigurationKey {
    /// `lora:`
    static let lora = [
        ConfigurationKey(
            "lora.r", \.adapter.rank, .integer(from: 1, to: LoRASettings.largestRank), "The rank of the adapter.",
            example: "16"),
        ConfigurationKey(
            "lora.lora_alpha", \.adapter.alpha, .positive, "The scaling parameter α. Updates are scaled by α / r.",
            example: "32"),
        ConfigurationKey(
            "lora.lora_dropout", \.adapter.dropout, .belowOne,
            "The dropout probability of an adapter's input during training.", example: "0.05",
            caveat: "With 0, tokens that the examples of a pass share at their beginning are computed only once."),
        ConfigurationKey(
            "lora.target_modules", \.adapter.targetModules, .layers,
            "The linear layers to adapt: the ends of their names, a regular expression that matches the full name "
                + "(model.layers.0.self_attn.q_proj), or `all-linear`.",
            example: "[q_proj, v_proj]",
            caveat:
                "A string is a regular expression if it contains characters that no name has, as in "
                + ".*self_attn.(q|v)_proj."
        ),
        ConfigurationKey(
            "lora.target_parameters", \.adapter.targetParameters, .textsOrNone,
            "Weights to adapt that do not belong to a linear layer, such as those of experts, by the ends of "
                + "their full names.",
            example: "[experts.gate_up_proj, experts.down_proj]",
            caveat: "Needs `lora.lora_dropout: 0`, as in PEFT. `all-linear` then includes experts and routers."),
        ConfigurationKey(
            "lora.exclude_modules", \.adapter.excludedModules, .textsOrNone,
            "Layers not to adapt even though `lora.target_modules` matches them, by the end of their names.",
            example: "[layers.0.mlp.down_proj]"),
        ConfigurationKey(
            "lora.use_rslora", \.adapter.usesRankStabilization, .flag,
            "Whether to scale updates by α / √r (rank-stabilized LoRA).",
            example: "true"),
        ConfigurationKey(
            "lora.use_dora", \.adapter.usesDoRA, .flag,
            "Whether to learn the magnitude of each row of a weight separately from its direction (DoRA).",
            example: "true",
            caveat: "Slower: every pass computes the norms of the adapted weights."),
        ConfigurationKey(
            "lora.layers_to_transform", \.adapter.layersToTransform, .integersOrNone,
            "The indices of the layers to adapt, starting at 0. `null` adapts all of them.", example: "[16, 17]"),
        ConfigurationKey(
            "lora.rank_pattern", \.adapter.rankPattern, .patterns(.integer(from: 1, to: LoRASettings.largestRank)),
            "Different ranks for layers that match a regular expression.", example: "{v_proj: 16}",
            caveat: "If several match, the first in alphabetical order applies."),
        ConfigurationKey(
            "lora.alpha_pattern", \.adapter.alphaPattern, .patterns(.positive),
            "Different values of α for layers that match a regular expression.", example: "{v_proj: 32}"),
        ConfigurationKey(
            "lora.modules_to_save", \.adapter.modulesToSave, .textsOrNone,
            "Modules that are fully trained and saved together with the adapter.", example: "[embed_tokens, lm_head]",
            caveat:
                "If the head and the embedding are tied, naming one means both, and they stay tied. A module such as "
                + "mlp means all layers in it; these are then not adapted."),
        ConfigurationKey(
            "lora.init_adapter", \.adapter.initialAdapter, .textOrNone,
            "The folder or Hugging Face id of an adapter in PEFT's format to continue training from.",
            example: "runs/first/model",
            caveat: "The run uses the adapter's settings. A key in this section that contradicts them is an error."),
    ]
}
