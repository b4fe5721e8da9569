extension ConfigurationKey {
    /// `lora:`
    static let lora = [
        ConfigurationKey("lora.r", \.adapter.rank, .integer(from: 1), "The rank of every change.", example: "16"),
        ConfigurationKey(
            "lora.lora_alpha", \.adapter.alpha, .positive, "α: changes are scaled by α / r.", example: "32"),
        ConfigurationKey(
            "lora.lora_dropout", \.adapter.dropout, .belowOne,
            "The probability with which each element of an adapter's input is dropped in training.", example: "0.05"),
        ConfigurationKey(
            "lora.target_modules", \.adapter.targetModules, .texts,
            "The linear layers that are adapted, by the end of their names; or all-linear.",
            example: "[q_proj, v_proj]"),
        ConfigurationKey(
            "lora.use_rslora", \.adapter.usesRankStabilisation, .flag, "Whether changes are scaled by α / √r instead.",
            example: "true"),
        ConfigurationKey(
            "lora.init_adapter", \.adapter.initialAdapter, .textOrNone,
            "The folder of an adapter in PEFT's form to go on from.", example: "runs/first/model",
            caveat: "Its rank, α, dropout and layers replace those of this section."),
    ]
}
