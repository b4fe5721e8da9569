internal import MenoTraining

extension ConfigurationKey {
    /// `training:`
    static let training = [
        ConfigurationKey(
            "training.num_train_epochs", \.training.epochs,
            .number("a number above 0, up to a million") { $0 > 0 && $0 <= TrainingArguments.mostEpochs },
            "The number of training epochs.", example: "3"),
        ConfigurationKey(
            "training.max_steps", \.training.maxSteps, .countOrNone,
            "The total number of optimizer steps. Overrides `num_train_epochs`.",
            example: "500"),
        ConfigurationKey(
            "training.learning_rate", \.training.learningRate, .notNegative, "The peak learning rate.",
            example: "1.0e-4"),
        ConfigurationKey(
            "training.lr_scheduler_type", \.training.schedule, .choice, "The learning rate schedule after the warmup.",
            example: "linear", caveat: "`constant` has no warmup, as in transformers; `constant_with_warmup` has one."),
        ConfigurationKey(
            "training.lr_scheduler_kwargs", \.training.scheduleOptions, .scheduleOptions,
            "Extra options of some schedules: \(ScheduleOption.summary).",
            example: "{num_cycles: 3}"),
        ConfigurationKey(
            "training.warmup_ratio", \.training.warmupRatio, .fraction,
            "The fraction of all steps used for the warmup, rounded up.", example: "0.03"),
        ConfigurationKey(
            "training.warmup_steps", \.training.warmupSteps, .steps(from: 0),
            "The number of warmup steps, or a fraction of all steps, rounded up. A value above 0 overrides "
                + "`warmup_ratio`.",
            example: "20", caveat: "0 without `warmup_ratio` means no warmup."),
        ConfigurationKey(
            "training.optim", \.training.optimizer.kind, .choice,
            "The optimizer.", example: "adafactor",
            caveat:
                "Both names of AdamW mean the same fused implementation. `lion` needs about a tenth of the learning "
                + "rate of AdamW."
        ),
        ConfigurationKey(
            "training.weight_decay", \.training.optimizer.weightDecay, .notNegative,
            "The decoupled weight decay. Biases and norms are not decayed.", example: "0.1"),
        ConfigurationKey(
            "training.adam_beta1", \.training.optimizer.beta1, .belowOne, "β₁ of AdamW and Lion.", example: "0.9"),
        ConfigurationKey(
            "training.adam_beta2", \.training.optimizer.beta2, .belowOne, "β₂ of AdamW and Lion.", example: "0.95"),
        ConfigurationKey(
            "training.adam_epsilon", \.training.optimizer.epsilon, .positive, "ε of AdamW.", example: "1.0e-6"),
        ConfigurationKey(
            "training.max_grad_norm", \.training.maxGradientNorm, .positiveOrNone,
            "The maximum gradient norm. Larger gradients are clipped to it.", example: "0.5"),
        ConfigurationKey(
            "training.label_smoothing_factor", \.training.labelSmoothing, .belowOne,
            "The label smoothing factor: the part of each target's probability that is spread evenly over the "
                + "vocabulary during training.",
            example: "0.1",
            caveat: "The training loss is then the smoothed one. Evaluations are not smoothed."),
        ConfigurationKey(
            "training.neftune_noise_alpha", \.training.embeddingNoise, .notNegative.reading(null: 0),
            "α of the NEFTune noise on the embeddings during training, within ±α / √(length · hidden size). 0 "
                + "disables it.", example: "5",
            caveat: "The length is that of each example, not of a padded batch."),
        ConfigurationKey(
            "training.per_device_train_batch_size", \.training.batchSize, .integer(from: 1),
            "The number of examples in a micro-batch.", example: "4",
            caveat:
                "Only its product with `gradient_accumulation_steps` matters: the number of examples in an optimizer "
                + "step."),
        ConfigurationKey(
            "training.gradient_accumulation_steps", \.training.gradientAccumulationSteps, .integer(from: 1),
            "The number of micro-batches in an optimizer step.", example: "4"),
        ConfigurationKey(
            "training.per_device_eval_batch_size", \.withoutEffect.evaluationBatchSize, .integer(from: 1),
            "The batch size of an evaluation.", example: "8",
            caveat:
                "Has no effect: `tokens_per_pass` decides what is evaluated together, and the result does not depend "
                + "on it."
        ),
        ConfigurationKey(
            "training.eval_accumulation_steps", \.withoutEffect.evaluationAccumulationSteps, .countOrNone,
            "The number of evaluation batches whose results are gathered before they leave the device.", example: "1",
            caveat: "Has no effect: logits are not kept, so there is nothing to gather."),
        ConfigurationKey(
            "training.group_by_length", \.training.groupsByLength, .flag,
            "Whether to group examples of similar length into the same step.", example: "true",
            caveat: "There is little to gain, because Meno never pads, and steps become less similar."),
        ConfigurationKey(
            "training.dataloader_drop_last", \.training.dropsLast, .flag,
            "Whether to drop the last examples of an epoch if they do not fill a micro-batch.", example: "true"),
        ConfigurationKey(
            "training.dataloader_num_workers", \.training.stepsAhead, .integer(from: 0, to: 1000),
            "The number of steps whose batches are prepared in the background, ahead of the current step.", example: "2"
        ),
        ConfigurationKey(
            "training.dataloader_pin_memory", \.withoutEffect.pinsMemory, .flag,
            "Whether to copy batches to an accelerator from pinned memory.", example: "false",
            caveat: "Has no effect: a step copies only a few kilobytes of ids."),
        ConfigurationKey(
            "training.gradient_checkpointing", \.training.gradientCheckpointing, .choice.reading(null: .whenNeeded),
            "Whether to recompute layers in the backward pass instead of keeping their activations, which saves "
                + "memory and takes a third more time. `true` recomputes as many layers as necessary for a pass to fit "
                + "into half of the free memory, `always` recomputes all of them, and false none.",
            example: "always", caveat: "Does not change the results."),
        ConfigurationKey(
            "training.head_gradient_threshold", \.training.headGradientThreshold, .fractionOrAutomatic,
            "On a CPU, tokens with a smaller probability enter the gradient of a frozen head together, by the "
                + "mean of the embeddings in their chunk. With 0, each enters separately. `auto` is 1e-6 for bfloat16 "
                + "weights and 0 for float32.",
            example: "0",
            caveat:
                "The loss is always exact. The error of the gradient is about 5e-4 with 1e-6 and 1e-5 with 1e-8; that "
                + "of bfloat16 probabilities is 8e-4."),
        ConfigurationKey(
            "training.tokens_per_pass", \.training.tokensPerPass, .countOrAutomatic,
            "The number of tokens that go through the model together. `auto` chooses as many as memory allows, up "
                + "to 8192 on a GPU and 512 on a CPU (1024 if the CPU has AMX or the model at least 500 million "
                + "parameters). On a CPU, evaluations use twice as many. This affects memory and speed, but not the "
                + "result beyond rounding.",
            example: "1024", caveat: "A step that runs out of memory is repeated in smaller passes."),
        ConfigurationKey(
            "training.logical_shards", \.training.logicalShards, .countOrAutomatic,
            "The number of parts that the examples of a step are divided into before passes are planned, so that "
                + "as many processes have work. With `auto`, each pass that `tokens_per_pass` makes is a part.",
            example: "4",
            caveat:
                "It changes the order of summation and therefore the rounding of the result; the number of processes "
                + "does not. Small parts make small passes, which are slower with one process."),
        ConfigurationKey(
            "training.sharding", \.training.sharding, .choice,
            "What several processes divide among them: nothing, or the optimizer state, which for AdamW is two "
                + "values per trained parameter.",
            example: "optimizer",
            caveat:
                "Does not change the results. Useful for full fine-tuning. A run that fails keeps its last checkpoint "
                + "and saves no other, and stable checkpoints contain only the model. The weights themselves are not "
                + "divided."),
        ConfigurationKey(
            "training.bf16", \.computesInBFloat16, .flag, "Whether `model.dtype: auto` means bfloat16.",
            example: "false"),
        ConfigurationKey(
            "training.fp16", \.computesInFloat16, .flag,
            "Whether `model.dtype: auto` means float16.", example: "false",
            caveat: "`true` is refused: float16 needs loss scaling, which Meno does not do. Use bf16."),
        ConfigurationKey(
            "training.no_cuda", \.usesNoCUDA, .flag,
            "Whether `model.device: auto` means the CPU.", example: "true"),
        ConfigurationKey(
            "training.eval_strategy", \.training.evaluationStrategy, .choice,
            "When to evaluate: every `eval_steps`, every epoch, or never.", example: "no"),
        ConfigurationKey(
            "training.eval_steps", \.training.evaluationSteps, .stepsOrNone,
            "The number of steps between evaluations, or a fraction of all steps, rounded up. `null` means "
                + "`logging_steps`.", example: "50"
        ),
        ConfigurationKey(
            "training.eval_on_start", \.training.evaluatesOnStart, .flag,
            "Whether to evaluate before the first step.", example: "true"),
        ConfigurationKey(
            "training.save_strategy", \.training.saveStrategy, .choice,
            "When to save a checkpoint: every `save_steps`, every epoch, or never.", example: "no",
            caveat: "An interrupted run always saves one."),
        ConfigurationKey(
            "training.save_steps", \.training.saveSteps, .steps(from: 1),
            "The number of steps between checkpoints, or a fraction of all steps, rounded up.", example: "200"),
        ConfigurationKey(
            "training.save_only_model", \.training.savesOnlyModel, .flag,
            "Whether checkpoints contain only the model, without the optimizer and random states.", example: "true",
            caveat:
                "Such checkpoints are smaller, but a run cannot be resumed from them. The checkpoint of an "
                + "interrupted run is always complete."
        ),
        ConfigurationKey(
            "training.save_total_limit", \.training.saveTotalLimit, .countOrNone,
            "The maximum number of checkpoints to keep.", example: "3",
            caveat: "The best and the newest are never removed."),
        ConfigurationKey(
            "training.metric_for_best_model", \.training.bestMetric, .metric,
            "The evaluation metric by which models are compared.",
            example: "eval_loss",
            caveat:
                "Only evaluations after the first step count whose weights are saved, on the same held-out examples."),
        ConfigurationKey(
            "training.greater_is_better", \.greaterIsBetter, .flagOrNone,
            "Whether a greater value of `metric_for_best_model` is better. `null` uses what is right for the "
                + "metric.",
            example: "false",
            caveat: "A value that contradicts the metric is an error."),
        ConfigurationKey(
            "training.load_best_model_at_end", \.training.loadsBestModelAtEnd, .flag,
            "Whether the run ends with the best saved model instead of the last one.", example: "false",
            caveat:
                "A new best model is then also saved between `save_steps`. With `save_strategy: no`, nothing is "
                + "loaded, and a warning tells you if an earlier model was better."),
        ConfigurationKey(
            "training.early_stopping_patience", \.training.earlyStoppingPatience, .countOrNone,
            "Stop after this many evaluations without improvement.", example: "5"),
        ConfigurationKey(
            "training.early_stopping_threshold", \.training.earlyStoppingThreshold, .notNegative,
            "How much an evaluation must gain to count as an improvement.", example: "0.01"),
        ConfigurationKey(
            "training.max_skipped_steps", \.training.maxSkippedSteps, .integer(from: 1),
            "End the run after this many consecutive steps with a loss or gradient that is not finite. Such steps "
                + "are never applied.",
            example: "1"),
        ConfigurationKey(
            "training.logging_strategy", \.training.loggingStrategy, .choice,
            "When to log: every `logging_steps`, every epoch, or never.", example: "epoch"),
        ConfigurationKey(
            "training.logging_steps", \.training.loggingSteps, .steps(from: 1),
            "The number of steps between log lines, or a fraction of all steps, rounded up.", example: "1",
            caveat: "The loss in a line is the mean over its steps, as in `trainer_state.json`."),
        ConfigurationKey(
            "training.logging_first_step", \.training.logsFirstStep, .flag,
            "Whether to log the first step.", example: "true"),
        ConfigurationKey(
            "training.run_name", \.runName, .textOrNone,
            "The name of the run in reports. `null` uses the name of its folder.", example: "socratic-2"),
        ConfigurationKey(
            "training.export_at_end", \.exportAtEnd, .textsOrNone,
            "Formats to export the result to when the run ends: safetensors, gguf:TYPE, gguf-lora or ollama:TYPE.",
            example: "[gguf:Q8_0]",
            caveat: "Works like `meno export` and writes to the folder exports in `base_output_dir`. Each export is "
                + "compared with the trained model."),
        ConfigurationKey(
            "training.memory_clear_interval", \.training.memoryClearInterval, .integer(from: 0).reading(null: 0),
            "The number of steps between releases of unused memory. With 0, it is released only after "
                + "evaluations.", example: "20"),
    ]
}
