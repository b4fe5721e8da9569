extension ConfigurationKey {
    /// Every key, section by section.
    public static let all: [ConfigurationKey] = output + model + data + lora + training

    /// Keys that change what is shown, saved or held in memory, and no result beyond rounding: a run may be resumed with
    /// other values of them.
    static let withoutMeaning: Set<String> = [
        "base_output_dir", "model.device", "data.path", "data.on_invalid", "training.gradient_checkpointing",
        "training.tokens_per_pass", "training.eval_strategy", "training.eval_steps", "training.eval_on_start",
        "training.save_strategy", "training.save_steps", "training.save_total_limit", "training.logging_steps",
        "training.metric_for_best_model", "training.load_best_model_at_end", "training.early_stopping_patience",
        "training.early_stopping_threshold", "training.max_skipped_steps", "training.memory_clear_interval",
    ]

    /// Other names of keys.
    static let synonyms = ["training.evaluation_strategy": "training.eval_strategy"]

    /// Keys of `TrainingArguments` that are known, but that nothing honours yet.
    static let notYetSupported: Set<String> = [
        "training.greater_is_better",
        "training.optim", "training.fp16", "training.report_to", "training.run_name", "training.logging_dir",
        "training.logging_strategy", "training.no_cuda", "training.disable_tqdm", "training.dataloader_num_workers",
        "training.dataloader_pin_memory", "training.eval_accumulation_steps", "training.per_device_eval_batch_size",
        "training.label_smoothing_factor", "training.neftune_noise_alpha",
        "training.group_by_length", "lora.use_dora", "lora.modules_to_save", "lora.layers_to_transform",
        "lora.rank_pattern", "lora.alpha_pattern",
    ]
}
