internal import MenoTraining

extension ConfigurationKey {
    /// `training:`
    static let training = [
        ConfigurationKey(
            "training.num_train_epochs", \.training.epochs,
            .number("a number above 0, up to a million") { $0 > 0 && $0 <= TrainingArguments.mostEpochs },
            "Passes over the training data.", example: "3"),
        ConfigurationKey(
            "training.max_steps", \.training.maxSteps, .countOrNone, "Optimizer steps in all; overrides the epochs.",
            example: "500"),
        ConfigurationKey(
            "training.learning_rate", \.training.learningRate, .notNegative, "The highest learning rate.",
            example: "1.0e-4"),
        ConfigurationKey(
            "training.lr_scheduler_type", \.training.schedule, .choice, "How the rate moves after the warm-up.",
            example: "linear", caveat: "constant has no warm-up, as in transformers; constant_with_warmup has."),
        ConfigurationKey(
            "training.lr_scheduler_kwargs", \.training.scheduleOptions, .scheduleOptions,
            "What only some schedules ask for: \(ScheduleOption.summary).",
            example: "{num_cycles: 3}"),
        ConfigurationKey(
            "training.warmup_ratio", \.training.warmupRatio, .fraction,
            "The share of all steps, rounded up, over which the rate rises.", example: "0.03"),
        ConfigurationKey(
            "training.warmup_steps", \.training.warmupSteps, .steps(from: 0),
            "Steps over which the rate rises, or a share of all steps, rounded up; above 0 it overrides the ratio.",
            example: "20", caveat: "0 without a warmup_ratio beside it means no warm-up."),
        ConfigurationKey(
            "training.optim", \.training.optimizer.kind, .choice,
            "The optimizer.", example: "adafactor",
            caveat:
                "Both names of AdamW mean the same fused computation. lion wants a learning rate about a tenth of AdamW's."
        ),
        ConfigurationKey(
            "training.weight_decay", \.training.optimizer.weightDecay, .notNegative,
            "λ of the decay, which is decoupled from the gradient; biases and norms are not decayed.", example: "0.1"),
        ConfigurationKey(
            "training.adam_beta1", \.training.optimizer.beta1, .belowOne, "β₁ of AdamW and Lion.", example: "0.9"),
        ConfigurationKey(
            "training.adam_beta2", \.training.optimizer.beta2, .belowOne, "β₂ of AdamW and Lion.", example: "0.95"),
        ConfigurationKey(
            "training.adam_epsilon", \.training.optimizer.epsilon, .positive, "AdamW's ε.", example: "1.0e-6"),
        ConfigurationKey(
            "training.max_grad_norm", \.training.maxGradientNorm, .positiveOrNone,
            "Larger gradients are scaled down to this norm.", example: "0.5"),
        ConfigurationKey(
            "training.label_smoothing_factor", \.training.labelSmoothing, .belowOne,
            "The share of each target's probability that is spread evenly over the vocabulary in training.",
            example: "0.1",
            caveat: "The training loss is then the smoothed one; evaluations are not smoothed."),
        ConfigurationKey(
            "training.neftune_noise_alpha", \.training.embeddingNoise, .notNegative.reading(null: 0),
            "α of the noise on the embeddings in training, within ±α / √(length · hidden size); 0: none.", example: "5",
            caveat: "The length is each example's own, not that of a padded batch."),
        ConfigurationKey(
            "training.per_device_train_batch_size", \.training.batchSize, .integer(from: 1),
            "Examples of a micro-batch.", example: "4",
            caveat:
                "Only its product with gradient_accumulation_steps has a meaning: the examples of an optimizer step."),
        ConfigurationKey(
            "training.gradient_accumulation_steps", \.training.gradientAccumulationSteps, .integer(from: 1),
            "Micro-batches of an optimizer step.", example: "4"),
        ConfigurationKey(
            "training.per_device_eval_batch_size", \.withoutEffect.evaluationBatchSize, .integer(from: 1),
            "Examples of a batch of an evaluation.", example: "8",
            caveat:
                "Without effect: tokens_per_pass decides what is evaluated together, and the result does not depend on it."
        ),
        ConfigurationKey(
            "training.eval_accumulation_steps", \.withoutEffect.evaluationAccumulationSteps, .countOrNone,
            "Batches of an evaluation whose results are gathered before they leave the device.", example: "1",
            caveat: "Without effect: no logits are kept, so there is nothing to gather."),
        ConfigurationKey(
            "training.group_by_length", \.training.groupsByLength, .flag,
            "Whether a step takes examples of about the same length.", example: "true",
            caveat: "Nothing is padded here, so there is little to gain; steps become less alike."),
        ConfigurationKey(
            "training.dataloader_drop_last", \.training.dropsLast, .flag,
            "Whether an epoch leaves out the examples at its end that fill no micro-batch.", example: "true"),
        ConfigurationKey(
            "training.dataloader_num_workers", \.training.stepsAhead, .integer(from: 0, to: 1000),
            "Steps whose batches are prepared in the background, ahead of the one that is computed.", example: "2"),
        ConfigurationKey(
            "training.dataloader_pin_memory", \.withoutEffect.pinsMemory, .flag,
            "Whether batches are copied to an accelerator from pinned memory.", example: "false",
            caveat: "Without effect: a step copies some kilobytes of ids."),
        ConfigurationKey(
            "training.gradient_checkpointing", \.training.gradientCheckpointing, .choice.reading(null: .whenNeeded),
            "Whether layers are computed again in the backward pass instead of kept: less memory, a third more time. true: "
                + "as many as must be for a pass to fit into half of the memory that is free; always: all; false: none.",
            example: "always", caveat: "Results are the same."),
        ConfigurationKey(
            "training.head_gradient_threshold", \.training.headGradientThreshold, .fractionOrAutomatic,
            "On a CPU, words of a smaller probability enter the gradient of a frozen head together, by the mean of their "
                + "chunk's embeddings; 0: each by itself. auto is 1e-6 with weights in bfloat16 and 0 with float32.",
            example: "0",
            caveat:
                "The loss is exact either way. The gradient's error is about 5e-4 at 1e-6 and 1e-5 at 1e-8, that of "
                + "probabilities in bfloat16 8e-4."),
        ConfigurationKey(
            "training.tokens_per_pass", \.training.tokensPerPass, .countOrAutomatic,
            "Tokens that go through the model together; auto: as many as memory allows, on a GPU up to 8192, on a "
                + "CPU 512, or 1024 where it has AMX or the model 500 million parameters, and there twice as many in "
                + "evaluations. It changes memory and speed, but no result beyond rounding.",
            example: "1024", caveat: "A step that runs out of memory is done again in smaller passes."),
        ConfigurationKey(
            "training.logical_shards", \.training.logicalShards, .countOrAutomatic,
            "Into how many parts the examples of a step are divided before passes are planned, so that as many processes have "
                + "work; auto: the passes are the parts, as many as tokens_per_pass makes of a step.",
            example: "4",
            caveat:
                "It belongs to what the run computes: sums are rounded in another order. The number of processes does not. Small "
                + "parts make small passes, which are slower with one process."),
        ConfigurationKey(
            "training.sharding", \.training.sharding, .choice,
            "What several processes divide, so that each holds a part of it: nothing, or the optimizer's state, which AdamW has two "
                + "values of for each one trained.",
            example: "optimizer",
            caveat:
                "Results are the same. Worth it where all weights are trained. A run that fails keeps its last checkpoint and "
                + "saves no other; stable checkpoints hold the model alone. The weights themselves are not divided."),
        ConfigurationKey(
            "training.bf16", \.computesInBFloat16, .flag, "Whether `model.dtype: auto` is bfloat16.", example: "false"),
        ConfigurationKey(
            "training.fp16", \.computesInFloat16, .flag,
            "Whether `model.dtype: auto` is float16.", example: "false",
            caveat: "true is refused: float16 needs its losses scaled, which Meno does not do; use bf16."),
        ConfigurationKey(
            "training.no_cuda", \.usesNoCUDA, .flag,
            "Whether `model.device: auto` is the CPU.", example: "true"),
        ConfigurationKey(
            "training.eval_strategy", \.training.evaluationStrategy, .choice,
            "Whether the model is evaluated every eval_steps, every epoch, or never.", example: "no"),
        ConfigurationKey(
            "training.eval_steps", \.training.evaluationSteps, .stepsOrNone,
            "Steps between two evaluations, or a share of all steps, rounded up; null: as logging_steps.", example: "50"
        ),
        ConfigurationKey(
            "training.eval_on_start", \.training.evaluatesOnStart, .flag,
            "Whether the model is evaluated before the first step.", example: "true"),
        ConfigurationKey(
            "training.save_strategy", \.training.saveStrategy, .choice,
            "Whether a checkpoint is saved every save_steps, every epoch, or never.", example: "no",
            caveat: "An interrupted run saves one in any case."),
        ConfigurationKey(
            "training.save_steps", \.training.saveSteps, .steps(from: 1),
            "Steps between two checkpoints, or a share of all steps, rounded up.", example: "200"),
        ConfigurationKey(
            "training.save_only_model", \.training.savesOnlyModel, .flag,
            "Whether checkpoints hold the model alone, without optimizer and random states.", example: "true",
            caveat:
                "They are smaller, and a run cannot be resumed from them; the one of a run that is interrupted holds everything."
        ),
        ConfigurationKey(
            "training.save_total_limit", \.training.saveTotalLimit, .countOrNone,
            "How many checkpoints are kept.", example: "3",
            caveat: "The best and the newest are never removed."),
        ConfigurationKey(
            "training.metric_for_best_model", \.training.bestMetric, .metric,
            "By which value of an evaluation models are compared; only token_accuracy is better when greater.",
            example: "eval_loss",
            caveat:
                "Only evaluations after the first step whose weights are saved compete, on the same held-out examples."),
        ConfigurationKey(
            "training.greater_is_better", \.greaterIsBetter, .flagOrNone,
            "Whether a greater value of that metric is a better one; null: as it is by its nature.", example: "false",
            caveat: "A value that contradicts the metric is an error."),
        ConfigurationKey(
            "training.load_best_model_at_end", \.training.loadsBestModelAtEnd, .flag,
            "Whether the run ends with the best saved model instead of the last.", example: "false",
            caveat:
                "A new best model is then saved between save_steps, too; with `save_strategy: no` nothing is loaded, and a "
                + "warning says so where an earlier model was better."),
        ConfigurationKey(
            "training.early_stopping_patience", \.training.earlyStoppingPatience, .countOrNone,
            "Evaluations without improvement after which the run ends.", example: "5"),
        ConfigurationKey(
            "training.early_stopping_threshold", \.training.earlyStoppingThreshold, .notNegative,
            "What an evaluation must gain to count as an improvement.", example: "0.01"),
        ConfigurationKey(
            "training.max_skipped_steps", \.training.maxSkippedSteps, .integer(from: 1),
            "Steps in a row whose loss or gradient is not finite, after which the run ends; none of them is applied.",
            example: "1"),
        ConfigurationKey(
            "training.logging_strategy", \.training.loggingStrategy, .choice,
            "Whether the log gets a line every logging_steps, every epoch, or never.", example: "epoch"),
        ConfigurationKey(
            "training.logging_steps", \.training.loggingSteps, .steps(from: 1),
            "Steps between two lines on the console, or a share of all steps, rounded up.", example: "1",
            caveat: "The loss of a line is the mean over its steps, as in trainer_state.json."),
        ConfigurationKey(
            "training.logging_first_step", \.training.logsFirstStep, .flag,
            "Whether the first step has a line of its own.", example: "true"),
        ConfigurationKey(
            "training.run_name", \.runName, .textOrNone,
            "What the run is called in reports; null: as its folder.", example: "socratic-2"),
        ConfigurationKey(
            "training.export_at_end", \.exportAtEnd, .textsOrNone,
            "What the result is exported as when the run ends: safetensors, gguf:TYPE, gguf-lora or ollama:TYPE.",
            example: "[gguf:Q8_0]",
            caveat: "As `meno export` does it, into exports in base_output_dir; each is compared with the trained "
                + "model."),
        ConfigurationKey(
            "training.memory_clear_interval", \.training.memoryClearInterval, .integer(from: 0).reading(null: 0),
            "Steps between two releases of memory that nothing uses; 0: only after evaluations.", example: "20"),
    ]
}
