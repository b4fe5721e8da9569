extension ConfigurationKey {
    /// Every key, section by section.
    package static let all: [ConfigurationKey] =
        output + model + data + lora + training + objective + telling + monitor + alerts + probes + report

    /// Keys that affect only what is shown, saved or kept in memory, and results only by rounding. A run may be resumed with
    /// other values.
    private static let withoutInfluence: Set<String> = [
        "base_output_dir", "training.export_at_end", "model.device", "data.path", "data.sources", "data.eval_path",
        "data.on_invalid",
        "training.gradient_checkpointing", "training.precompute_ref_log_probs",
        "training.tokens_per_pass", "training.sharding", "training.eval_strategy", "training.eval_steps",
        "training.eval_on_start",
        "training.save_only_model",
        "training.save_strategy", "training.save_steps", "training.save_total_limit", "training.logging_steps",
        "training.load_best_model_at_end", "training.early_stopping_patience",
        "training.early_stopping_threshold", "training.max_skipped_steps", "training.memory_clear_interval",
        "training.per_device_eval_batch_size", "training.eval_accumulation_steps", "training.dataloader_num_workers",
        "training.dataloader_pin_memory", "training.no_cuda", "training.greater_is_better",
        "training.logging_strategy", "training.logging_first_step", "training.run_name",
        "training.report_to", "training.logging_dir", "training.disable_tqdm", "report.language",
    ]

    /// The key of the form of frozen weights. Part of ``RunConfiguration/resultSettings`` only if they stay packed.
    package static let weightsPath = "model.weights"

    /// Keys of ``RunConfiguration/resultSettings`` that are newer than the first checkpoints, which behave as if they had the
    /// defaults. They are included only if they differ from these.
    static let addedLater = Set([
        weightsPath, "model.load_in_4bit", "model.load_in_8bit", "model.bnb_4bit_quant_type",
        "model.bnb_4bit_use_double_quant", "model.bnb_4bit_compute_dtype", "model.llm_int8_skip_modules",
        "lora.exclude_modules", "lora.target_parameters",
        "data.chat_template_kwargs", "data.mapping", "data.sample_by", "data.drop_duplicates",
        "data.packing", "data.text_blocks", "data.block_overlap",
        "training.dataloader_drop_last", "training.logical_shards",
    ]).union(objective.map(\.path))

    /// Whether the value affects the results of a run. A monitor only watches, and `greater_is_better` follows from its metric.
    var affectsResult: Bool { !path.hasPrefix("monitor.") && !Self.withoutInfluence.contains(path) }
}
