internal import MenoModels

extension ConfigurationKey {
    /// `lora:`
    static let lora = [
        ConfigurationKey(
            "lora.r", \.adapter.rank, .integer(from: 1, to: LoRASettings.largestRank), "The rank of every change.",
            example: "16"),
        ConfigurationKey(
            "lora.lora_alpha", \.adapter.alpha, .positive, "α: changes are scaled by α / r.", example: "32"),
        ConfigurationKey(
            "lora.lora_dropout", \.adapter.dropout, .belowOne,
            "The probability with which each element of an adapter's input is dropped in training.", example: "0.05",
            caveat: "With 0, what the examples of a pass begin with in common is computed once for all of them."),
        ConfigurationKey(
            "lora.target_modules", \.adapter.targetModules, .layers,
            "The linear layers that are adapted: by the end of their names, by a regular expression that matches a whole name "
                + "(model.layers.0.self_attn.q_proj), or all-linear.",
            example: "[q_proj, v_proj]",
            caveat:
                "A text is a regular expression where it has characters that no name has, as in .*self_attn.(q|v)_proj."
        ),
        ConfigurationKey(
            "lora.target_parameters", \.adapter.targetParameters, .textsOrNone,
            "Weights that are adapted though they belong to no linear layer, by the ends of their full names: those of experts.",
            example: "[experts.gate_up_proj, experts.down_proj]",
            caveat: "Needs lora.lora_dropout: 0, as PEFT does. With that, all-linear means experts and routers too."),
        ConfigurationKey(
            "lora.exclude_modules", \.adapter.excludedModules, .textsOrNone,
            "Layers that are not adapted though lora.target_modules names them, by the end of their names.",
            example: "[layers.0.mlp.down_proj]"),
        ConfigurationKey(
            "lora.use_rslora", \.adapter.usesRankStabilization, .flag, "Whether changes are scaled by α / √r instead.",
            example: "true"),
        ConfigurationKey(
            "lora.use_dora", \.adapter.usesDoRA, .flag,
            "Whether the size of each row of a weight is learnt apart from its direction.", example: "true",
            caveat: "Slower: every pass computes the changed weights' norms."),
        ConfigurationKey(
            "lora.layers_to_transform", \.adapter.layersToTransform, .integersOrNone,
            "The layers of the model that are adapted, from 0; null: all.", example: "[16, 17]"),
        ConfigurationKey(
            "lora.rank_pattern", \.adapter.rankPattern, .patterns(.integer(from: 1, to: LoRASettings.largestRank)),
            "Other ranks for the layers that a regular expression names.", example: "{v_proj: 16}",
            caveat: "Where several match, the first in alphabetical order counts."),
        ConfigurationKey(
            "lora.alpha_pattern", \.adapter.alphaPattern, .patterns(.positive),
            "Other α for the layers that a regular expression names.", example: "{v_proj: 32}"),
        ConfigurationKey(
            "lora.modules_to_save", \.adapter.modulesToSave, .textsOrNone,
            "Modules that are trained and saved as a whole beside the adapters.", example: "[embed_tokens, lm_head]",
            caveat:
                "Where the head is the embedding, naming one means both: they stay one. A module such as mlp means all layers "
                + "in it, which are then not adapted."),
        ConfigurationKey(
            "lora.init_adapter", \.adapter.initialAdapter, .textOrNone,
            "The folder, or the Hugging Face id, of an adapter in PEFT's form that training starts from.",
            example: "runs/first/model",
            caveat: "Its settings are those of the run: a key of this section that says otherwise is an error."),
    ]
}
