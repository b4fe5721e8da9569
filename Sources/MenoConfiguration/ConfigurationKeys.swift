extension ConfigurationKey {
    /// Every key, section by section.
    public static let all: [ConfigurationKey] = output + model + data + lora + training

    private static let output = [
        ConfigurationKey(
            "base_output_dir", \.baseOutputDirectory, .text, "The folder that everything of the run is written to.",
            example: "runs/socratic")
    ]

    private static let model = [
        ConfigurationKey(
            "model.name_or_path", \.model.nameOrPath, .text,
            "A Hugging Face folder, a .gguf file, or a name that `meno models list` shows.", example: "gemma-3-270m"),
        ConfigurationKey(
            "model.dtype", \.model.dtype, .choice,
            "What the model computes in; adapters and the optimizer's state are float32 in any case.",
            example: "float32", caveat: "auto is bfloat16, or float32 with `training.bf16: false`."),
        ConfigurationKey(
            "model.device", \.model.device, .choice,
            "Where the model computes; auto takes CUDA, then MPS, then the CPU.",
            example: "cpu"),
    ]

    private static let data = [
        ConfigurationKey(
            "data.path", \.data.path, .text, "A .json or .jsonl file of records.", example: "dialogues.json"),
        ConfigurationKey(
            "data.format", \.data.format, .choice, "The shape of the records; auto goes by each record's keys.",
            example: "messages"),
        ConfigurationKey(
            "data.chat_template", \.data.chatTemplate, .text,
            "How dialogues become text: gemma, llama3, chatml, tokenizer (the template that came with the model), the path of a "
                + ".jinja file, or auto: the built-in one whose turn markers the vocabulary has, else the model's own.",
            example: "gemma"),
        ConfigurationKey(
            "data.max_length", \.data.maxLength, .integer(from: 2), "Tokens of the longest example.", example: "512"),
        ConfigurationKey(
            "data.too_long", \.data.tooLong, .choice, "Whether longer examples are cut at their end or left out.",
            example: "skip", caveat: "A cut example ends without its end-of-turn token."),
        ConfigurationKey(
            "data.on_invalid", \.data.onInvalid, .choice, "Whether unfit records are left out or end the run.",
            example: "stop"),
        ConfigurationKey(
            "data.train_fraction", \.data.trainFraction, .fraction,
            "The share of the examples that is trained on; the rest is held out for evaluation.", example: "0.9"),
        ConfigurationKey(
            "data.max_eval_samples", \.data.maxEvaluationSamples, .integer(from: 0),
            "How many of the held-out examples evaluations use, chosen evenly over sources and lengths.",
            example: "200"),
        ConfigurationKey(
            "data.loss_on", \.data.lossOn, .choice,
            "Which tokens are learnt: all, or completions (the assistant's, with the token that ends its turn).",
            example: "completions"),
        ConfigurationKey(
            "data.shuffle", \.data.shuffle, .flag, "Whether the split and every epoch have a seeded random order.",
            example: "false"),
        ConfigurationKey(
            "data.seed", \.data.seed, .integer(from: 0),
            "Seeds the split, the order, the adapters' first values and dropout.", example: "7"),
    ]

    private static let lora = [
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

    private static let training = [
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
