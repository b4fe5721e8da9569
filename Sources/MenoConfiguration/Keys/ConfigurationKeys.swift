extension ConfigurationKey {
    /// Every key, section by section.
    public static let all: [ConfigurationKey] =
        output + model + data + lora + training + telling + monitor + alerts + probes + report

    /// Keys that change what is shown, saved or held in memory, and no result beyond rounding: a run may be resumed with
    /// other values of them.
    private static let withoutInfluence: Set<String> = [
        "base_output_dir", "model.device", "data.path", "data.on_invalid", "training.gradient_checkpointing",
        "training.tokens_per_pass", "training.eval_strategy", "training.eval_steps", "training.eval_on_start",
        "training.save_strategy", "training.save_steps", "training.save_total_limit", "training.logging_steps",
        "training.load_best_model_at_end", "training.early_stopping_patience",
        "training.early_stopping_threshold", "training.max_skipped_steps", "training.memory_clear_interval",
        "training.per_device_eval_batch_size", "training.eval_accumulation_steps", "training.dataloader_num_workers",
        "training.dataloader_pin_memory", "training.no_cuda", "training.greater_is_better",
        "training.logging_strategy", "training.logging_first_step", "training.run_name",
        "training.report_to", "training.logging_dir", "training.disable_tqdm", "report.language",
    ]

    /// Whether another value makes another run. A monitor only watches. (`greater_is_better` says what its metric does.)
    var affectsResult: Bool { !path.hasPrefix("monitor.") && !Self.withoutInfluence.contains(path) }

    /// Other names of keys.
    static let synonyms = [
        "training.evaluation_strategy": "training.eval_strategy", "training.use_cpu": "training.no_cuda",
        "training.activation_checkpointing": "training.gradient_checkpointing",
    ]

    /// Keys of `TrainingArguments` and `LoraConfig` that are known and refused, with the reason.
    static let refused: [String: String] = [
        "training.deepspeed": "a run has one process on one device.",
        "training.fsdp": "a run has one process on one device.",
        "training.auto_find_batch_size":
            "`training.tokens_per_pass: auto` divides a batch as memory allows, and a step that "
            + "runs out of it is done again in smaller passes, without changing the batch.",
        "training.torch_compile": "what is trained is compiled already.",
        "training.push_to_hub": "Meno never uses the network while it trains.",
        "training.remove_unused_columns": "records are read by their keys; others are left alone.",
        "training.output_dir": "write `base_output_dir` at the top level.",
        "training.overwrite_output_dir": "give --overwrite on the command line.",
        "training.resume_from_checkpoint": "give --resume on the command line.",
        "training.seed": "write `data.seed`, which seeds everything.",
        "training.data_seed": "write `data.seed`, which seeds everything.",
        "lora.bias": "biases are frozen; name modules in `lora.modules_to_save` to train them.",
        "lora.fan_in_fan_out": "no model that Meno knows has transposed weights.",
        "lora.init_lora_weights": "adapters begin as PEFT's default has it; `lora.init_adapter` gives others.",
        "lora.task_type": "models are causal language models.",
    ]
}
