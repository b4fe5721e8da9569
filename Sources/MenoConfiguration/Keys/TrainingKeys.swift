extension ConfigurationKey {
    /// `training:`
    static let training = [
        ConfigurationKey(
            "training.num_train_epochs", \.training.epochs, .positive, "Passes over the training data.", example: "3"),
        ConfigurationKey(
            "training.max_steps", \.training.maxSteps, .countOrNone, "Optimizer steps in all; overrides the epochs.",
            example: "500"),
        ConfigurationKey(
            "training.learning_rate", \.training.learningRate, .notNegative, "The highest learning rate.",
            example: "1.0e-4"),
        ConfigurationKey(
            "training.lr_scheduler_type", \.training.schedule, .choice, "How the rate moves after the warm-up.",
            example: "linear"),
        ConfigurationKey(
            "training.warmup_ratio", \.training.warmupRatio, .fraction,
            "The share of all steps, rounded up, over which the rate rises.", example: "0.03"),
        ConfigurationKey(
            "training.warmup_steps", \.training.warmupSteps, .integer(from: 0),
            "Steps over which the rate rises; above 0 it overrides the ratio.", example: "20"),
        ConfigurationKey(
            "training.weight_decay", \.training.optimizer.weightDecay, .notNegative,
            "AdamW's decoupled decay; biases and norms are not decayed.", example: "0.1"),
        ConfigurationKey(
            "training.adam_beta1", \.training.optimizer.beta1, .belowOne, "AdamW's β₁.", example: "0.9"),
        ConfigurationKey(
            "training.adam_beta2", \.training.optimizer.beta2, .belowOne, "AdamW's β₂.", example: "0.95"),
        ConfigurationKey(
            "training.adam_epsilon", \.training.optimizer.epsilon, .positive, "AdamW's ε.", example: "1.0e-6"),
        ConfigurationKey(
            "training.max_grad_norm", \.training.maxGradientNorm, .positiveOrNone,
            "Larger gradients are scaled down to this norm.", example: "0.5"),
        ConfigurationKey(
            "training.per_device_train_batch_size", \.training.batchSize, .integer(from: 1),
            "Examples of a micro-batch.", example: "4",
            caveat:
                "Only its product with gradient_accumulation_steps has a meaning: the examples of an optimizer step."),
        ConfigurationKey(
            "training.gradient_accumulation_steps", \.training.gradientAccumulationSteps, .integer(from: 1),
            "Micro-batches of an optimizer step.", example: "4"),
        ConfigurationKey(
            "training.gradient_checkpointing", \.training.gradientCheckpointing, .flag,
            "Whether layers are computed again in the backward pass instead of kept: less memory, a third more time.",
            example: "false"),
        ConfigurationKey(
            "training.tokens_per_pass", \.training.tokensPerPass, .integer(from: 1),
            "Tokens that go through the model together; it changes memory and speed, but no result beyond rounding.",
            example: "1024"),
        ConfigurationKey(
            "training.bf16", \.computesInBFloat16, .flag, "Whether `model.dtype: auto` is bfloat16.", example: "false"),
        ConfigurationKey(
            "training.eval_strategy", \.training.evaluationStrategy, .choice,
            "Whether the model is evaluated every eval_steps, every epoch, or never.", example: "no"),
        ConfigurationKey(
            "training.eval_steps", \.training.evaluationSteps, .integer(from: 1), "Steps between two evaluations.",
            example: "50"),
        ConfigurationKey(
            "training.eval_on_start", \.training.evaluatesOnStart, .flag,
            "Whether the model is evaluated before the first step.", example: "true"),
        ConfigurationKey(
            "training.save_strategy", \.training.saveStrategy, .choice,
            "Whether a checkpoint is saved every save_steps, every epoch, or never.", example: "no",
            caveat: "An interrupted run saves one in any case."),
        ConfigurationKey(
            "training.save_steps", \.training.saveSteps, .integer(from: 1), "Steps between two checkpoints.",
            example: "200"),
        ConfigurationKey(
            "training.save_total_limit", \.training.saveTotalLimit, .countOrNone,
            "How many checkpoints are kept.", example: "3",
            caveat: "The best and the newest are never removed."),
        ConfigurationKey(
            "training.metric_for_best_model", \.training.bestMetric, .choice,
            "By which value of an evaluation models are compared; only token_accuracy is better when greater.",
            example: "loss"),
        ConfigurationKey(
            "training.load_best_model_at_end", \.training.loadsBestModelAtEnd, .flag,
            "Whether the run ends with the best saved model instead of the last.", example: "false",
            caveat: "Evaluations and checkpoints must then fall on the same steps."),
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
            "training.logging_steps", \.training.loggingSteps, .integer(from: 1),
            "Steps between two lines on the console.",
            example: "1"),
        ConfigurationKey(
            "training.memory_clear_interval", \.training.memoryClearInterval, .integer(from: 0),
            "Steps between two releases of memory that nothing uses; 0: only after evaluations.", example: "20"),
    ]
}
