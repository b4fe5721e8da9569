extension ConfigurationKey {
    /// Keys of the top level.
    static let output = [
        ConfigurationKey(
            "base_output_dir", \.baseOutputDirectory, .text, "The folder for all output of the run.",
            example: "runs/socratic")
    ]

    /// `model:`
    static let model = [
        ConfigurationKey(
            "model.name_or_path", \.model.nameOrPath, .text,
            "The model: a Hugging Face folder, a .gguf file, a Hugging Face id (`org/name`, `org/name@revision`, "
                + "`org/name:file.gguf` or `org/name:Q4_K_M`), or a name that `meno models list` shows.",
            example: "gemma-3-270m",
            caveat:
                "An existing path takes precedence over an id. A model that is not in the Hub's cache is downloaded "
                + "before the run begins. A resumed run uses the commit that it began with."),
        ConfigurationKey(
            "model.dtype", \.model.dtype, .choice,
            "The type of the frozen weights. If the processor has fast bfloat16 products, it is also the type of "
                + "the computation. Adapters and the optimizer state are always float32.",
            example: "float32",
            caveat:
                "`auto` is bfloat16, or float32 with `training.bf16: false`. float16 is refused: Meno cannot train in "
                + "it, nor evaluate in it on a CPU."),
        ConfigurationKey(
            "model.device", \.model.device, .choice,
            "The device that the model runs on. `auto` prefers CUDA, then MPS, then the CPU.",
            example: "cpu"),
        ConfigurationKey(
            "model.weights", \.model.weights, .choice,
            "How quantized weights (of a GGUF file or a bitsandbytes model) are kept in memory: `packed` keeps "
                + "them quantized and decodes them during multiplication, `dense` converts them to `model.dtype`. "
                + "`auto` uses `packed` if dense weights would take more than a third of the available memory, and "
                + "always for bitsandbytes models, as in transformers.",
            example: "packed",
            caveat: "`packed` works on the CPU only. A resumed run keeps the choice of `auto`."),
        ConfigurationKey(
            "model.load_in_4bit", \.model.loadsInFourBits, .flag,
            "Quantizes the weights of linear layers to four bits while the model is loaded, as bitsandbytes does. "
                + "Embeddings and head stay in `model.dtype`, which is also the type of the computation.",
            example: "true",
            caveat:
                "CPU only. Without other keys, this means NF4 with double quantization, as in QLoRA; the defaults of "
                + "transformers are fp4 without it."),
        ConfigurationKey(
            "model.load_in_8bit", \.model.loadsInEightBits, .flag,
            "Quantizes the weights of linear layers to eight bits, with one scale per row.", example: "true",
            caveat:
                "Uses the weight format of LLM.int8. Activations are not quantized, so outliers need no special "
                + "treatment."),
        ConfigurationKey(
            "model.bnb_4bit_quant_type", \.model.fourBitType, .choice, "The 4-bit data type of `load_in_4bit`.",
            example: "fp4"),
        ConfigurationKey(
            "model.bnb_4bit_use_double_quant", \.model.usesDoubleQuantization, .flag,
            "Whether to quantize the scales of `load_in_4bit` (one per 64 values) to eight bits.", example: "false"),
        ConfigurationKey(
            "model.bnb_4bit_compute_dtype", \.model.fourBitComputeType, .choice,
            "The type of activations when weights are packed. `auto` is `model.dtype`, or float32 on processors "
                + "that multiply it faster.",
            example: "float32",
            caveat:
                "Applies to the complete model, not just to its linear layers. bfloat16 needs `model.dtype` bfloat16. "
                + "float16 is refused because it needs loss scaling. The default of transformers is float32."),
        ConfigurationKey(
            "model.llm_int8_skip_modules", \.model.skippedModules, .textsOrNone,
            "Linear layers that are not quantized, by name or by the end of the name. Applies to four bits too.",
            example: "[down_proj]"),
    ]

    /// `data:`
    static let data = [
        ConfigurationKey(
            "data.path", \.data.paths, .paths,
            "The data: a file, a folder, a pattern (`data/*.jsonl`, `data/**/*.parquet`), or a list of these. "
                + "Formats are JSON, JSONL, CSV, TSV, text and Parquet, each also as .gz or .zst. If there is no such "
                + "path, it is the Hugging Face id of a dataset (`org/name`, `org/name@revision:folder`).",
            example: "dialogues.json",
            caveat:
                "The files of a folder are read in the order of their names. If the names contain splits "
                + "(train-00000.parquet, test.jsonl), only those of train are read."),
        ConfigurationKey(
            "data.sources", \.data.sources, .sources,
            "Several sources, instead of `data.path`. With weights, the source of each record is picked at random "
                + "in proportion to its weight, until a source that is picked has no more records. Without weights, the "
                + "sources are read one after another.",
            example: "[{path: dialogues.json, weight: 3}, {path: wiki.jsonl.zst, weight: 1, max_samples: 5000}]",
            caveat:
                "`data.seed` decides what is picked. `max_samples` takes the first records of a source. `format` "
                + "works like `data.format`; `split` selects the split of a folder's files."),
        ConfigurationKey(
            "data.eval_path", \.data.evaluationPaths, .textsOrNone,
            "A separate evaluation set, in any form that `data.path` accepts. With it, nothing is held out: the "
                + "run trains on all of `data.path`.",
            example: "test.jsonl",
            caveat: "`data.max_eval_samples` limits it. Examples that are also in the training data are counted and "
                + "reported."),
        ConfigurationKey(
            "data.mapping", \.data.mapping, .mapping,
            "The names that your data uses for the parts of a record or a turn (role, content) and for the "
                + "speakers (user, assistant, tool).",
            example: "{messages: chat, role: speaker, content: says, user: Q, assistant: A}",
            caveat: "If another member is mapped to a usual name, a record's own member of that name is ignored."),
        ConfigurationKey(
            "data.sample_by", \.data.textUnit, .choice,
            "What counts as a record in a text file: a line, a paragraph (up to a blank line), or the complete "
                + "document.",
            example: "paragraph"),
        ConfigurationKey(
            "data.drop_duplicates", \.data.dropsDuplicates, .flag,
            "Whether to skip records that equal an earlier one, ignoring white space. Duplicates are counted "
                + "either way.",
            example: "true"),
        ConfigurationKey(
            "data.format", \.data.format, .choice,
            "The format of the records. `auto` recognizes it by the keys of each record.",
            example: "messages"),
        ConfigurationKey(
            "data.chat_template", \.data.chatTemplate, .text,
            "The chat template: `gemma`, `llama3`, `chatml`, `tokenizer` (the model's own template), the path of "
                + "a .jinja file, or `auto`. `auto` uses the model's own template if it has one, and otherwise the "
                + "built-in one whose turn markers are in the vocabulary.",
            example: "gemma",
            caveat:
                "A resumed run uses the template that it began with. If a template writes the date, it is the date on "
                + "which the run started."),
        ConfigurationKey(
            "data.chat_template_kwargs", \.data.chatTemplateKwargs, .members,
            "Values that are passed to the chat template with every conversation, as in `apply_chat_template`. "
                + "Values in a record (`tools`, `documents`, `chat_template_kwargs`) take precedence.",
            example: "{enable_thinking: false}"),
        ConfigurationKey(
            "data.max_length", \.data.maxLength, .integer(from: 2), "The maximum number of tokens in an example.",
            example: "512"),
        ConfigurationKey(
            "data.too_long", \.data.tooLong, .choice,
            "What to do with longer examples: `truncate` cuts them at the end, `skip` skips them, and "
                + "`skip_without_answer` cuts them but skips those whose answer begins beyond `max_length`.",
            example: "skip_without_answer",
            caveat:
                "A truncated example has no end-of-turn token. If it is cut before its answer begins, the model "
                + "learns only the question; such examples are counted separately."),
        ConfigurationKey(
            "data.on_invalid", \.data.onInvalid, .choice, "Whether an invalid record is skipped or ends the run.",
            example: "stop"),
        ConfigurationKey(
            "data.train_fraction", \.data.trainFraction, .fraction,
            "The fraction of the examples used for training. The rest is held out for evaluation.", example: "0.9",
            caveat: "Equal examples stay on the same side, so the fraction can differ slightly if records repeat."),
        ConfigurationKey(
            "data.max_eval_samples", \.data.maxEvaluationSamples, .integer(from: 0),
            "The maximum number of held-out examples in an evaluation, chosen evenly over sources and lengths.",
            example: "200"),
        ConfigurationKey(
            "data.loss_on", \.data.lossOn, .choice,
            "Which tokens carry loss: all, `completions` (the assistant's answers, with the token that ends the "
                + "turn), or `last_completion` (only the last answer of a conversation).",
            example: "completions",
            caveat:
                "A turn with `\"weight\": 0`, `\"train\": false` or `\"training\": false` never carries loss. A token "
                + "belongs to an answer if any of its bytes does."),
        ConfigurationKey(
            "data.packing", \.data.packing, .choice,
            "How a step counts examples: none counts each one, `best_fit` combines examples up to `max_length` "
                + "tokens (best-fit decreasing) and counts each pack as one.",
            example: "best_fit",
            caveat:
                "This only makes steps more equal in size. Meno never pads, and examples in a pack do not see each "
                + "other."),
        ConfigurationKey(
            "data.text_blocks", \.data.textBlocks, .flag,
            "Whether to join text records, each followed by its EOS token, and cut them into blocks of "
                + "`max_length` tokens, as for continued pre-training. No token is lost.",
            example: "true", caveat: "Other records remain separate examples."),
        ConfigurationKey(
            "data.block_overlap", \.data.blockOverlap, .integer(from: 0),
            "The number of tokens at the end of a block that the next block repeats as context, without loss.",
            example: "64", caveat: "With 0, the first token of each block carries no loss, because nothing precedes it."
        ),
        ConfigurationKey(
            "data.shuffle", \.data.shuffle, .flag, "Whether to shuffle the split and every epoch, with `data.seed`.",
            example: "false"),
        ConfigurationKey(
            "data.seed", \.data.seed, .integer(from: 0, to: .max),
            "The random seed of the split, the order, the initial adapter weights and dropout.", example: "7"),
    ]
}
