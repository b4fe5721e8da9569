extension ConfigurationKey {
    /// Every key, section by section.
    package static let all: [ConfigurationKey] =
        output + model + data + lora + training + objective + telling + monitor + alerts + probes + report

    /// Keys that change what is shown, saved or held in memory, and no result beyond rounding: a run may be resumed with
    /// other values of them.
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

    /// The key of how frozen weights are held. Among ``RunConfiguration/resultSettings`` where they stay packed.
    package static let weightsPath = "model.weights"

    /// Keys of ``RunConfiguration/resultSettings`` that came after the first checkpoints, which were made with their defaults: they
    /// are there only where they say something else.
    static let addedLater = Set([
        weightsPath, "model.load_in_4bit", "model.load_in_8bit", "model.bnb_4bit_quant_type",
        "model.bnb_4bit_use_double_quant", "model.bnb_4bit_compute_dtype", "model.llm_int8_skip_modules",
        "lora.exclude_modules", "lora.target_parameters",
        "data.chat_template_kwargs", "data.mapping", "data.sample_by", "data.drop_duplicates",
        "data.packing", "data.text_blocks", "data.block_overlap",
        "training.dataloader_drop_last", "training.logical_shards",
    ]).union(objective.map(\.path))

    /// Whether another value makes another run. A monitor only watches. (`greater_is_better` says what its metric does.)
    var affectsResult: Bool { !path.hasPrefix("monitor.") && !Self.withoutInfluence.contains(path) }
}
