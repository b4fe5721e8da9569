extension ConfigurationKey {
    /// Keys of the top level.
    static let output = [
        ConfigurationKey(
            "base_output_dir", \.baseOutputDirectory, .text, "The folder that everything of the run is written to.",
            example: "runs/socratic")
    ]

    /// `model:`
    static let model = [
        ConfigurationKey(
            "model.name_or_path", \.model.nameOrPath, .text,
            "A Hugging Face folder, a .gguf file, a Hugging Face id (`org/name`, `org/name@revision`, `org/name:file.gguf` or "
                + "`org/name:Q4_K_M`), or a name that `meno models list` shows.", example: "gemma-3-270m",
            caveat:
                "A path that exists wins over an id. What is not in the Hub's cache is downloaded before the run begins. A "
                + "resumed run takes the commit that it began with."),
        ConfigurationKey(
            "model.dtype", \.model.dtype, .choice,
            "What frozen weights are kept and, where the processor has fast bfloat16 products, computed in; adapters and "
                + "the optimizer's state are float32 in any case.",
            example: "float32",
            caveat:
                "auto is bfloat16, or float32 with `training.bf16: false`. float16 is refused: it cannot be trained, "
                + "nor evaluated on a CPU."),
        ConfigurationKey(
            "model.device", \.model.device, .choice,
            "Where the model computes; auto takes CUDA, then MPS, then the CPU.",
            example: "cpu"),
        ConfigurationKey(
            "model.weights", \.model.weights, .choice,
            "Whether the quantised weights of a GGUF file, or of a model that bitsandbytes has quantised, stay packed in memory "
                + "and are decoded while they are multiplied (packed), or become numbers of `model.dtype` (dense). auto is "
                + "packed where dense weights would take more than a third of the memory that there is, and for the models of "
                + "bitsandbytes, as in transformers.",
            example: "packed",
            caveat: "On the CPU only. What auto chose is kept when a run is resumed."),
        ConfigurationKey(
            "model.load_in_4bit", \.model.loadsInFourBits, .flag,
            "Quantises the weights of linear layers to four bits while the model is loaded, as bitsandbytes does it. Embeddings "
                + "and head stay in `model.dtype`, which is also what is computed in.",
            example: "true",
            caveat:
                "On the CPU only. Alone it means NF4 with double quantisation, as QLoRA has it; transformers' own defaults are "
                + "fp4 without."),
        ConfigurationKey(
            "model.load_in_8bit", \.model.loadsInEightBits, .flag,
            "Quantises the weights of linear layers to eight bits, with a scale for each row.", example: "true",
            caveat:
                "The weights of LLM.int8; activations are not quantised, so that there are no outliers to treat apart."),
        ConfigurationKey(
            "model.bnb_4bit_quant_type", \.model.fourBitType, .choice, "The sixteen values of `load_in_4bit`.",
            example: "fp4"),
        ConfigurationKey(
            "model.bnb_4bit_use_double_quant", \.model.usesDoubleQuantization, .flag,
            "Whether the scales of `load_in_4bit`, one for 64 values, are quantised to eight bits.", example: "false"),
        ConfigurationKey(
            "model.bnb_4bit_compute_dtype", \.model.fourBitComputeType, .choice,
            "What activations are computed in beside packed weights; auto is `model.dtype`, or float32 on processors that "
                + "multiply that faster.",
            example: "float32",
            caveat:
                "Of the whole model, not of its linear layers alone. bfloat16 needs `model.dtype` bfloat16. float16 is "
                + "refused: it needs its losses scaled. transformers' own default is float32."),
        ConfigurationKey(
            "model.llm_int8_skip_modules", \.model.skippedModules, .textsOrNone,
            "Linear layers that are not quantised, by their names or the ends of these; in four bits too.",
            example: "[down_proj]"),
    ]

    /// `data:`
    static let data = [
        ConfigurationKey(
            "data.path", \.data.paths, .paths,
            "A file of records, a folder of such files, a pattern (`data/*.jsonl`, `data/**/*.parquet`), or a list of these: "
                + "JSON, JSONL, CSV, TSV, text and Parquet, each also as .gz or .zst. A dataset's Hugging Face id (`org/name`, "
                + "`org/name@revision:folder`) where there is no such path.",
            example: "dialogues.json",
            caveat:
                "Files of a folder are read in the order of their names. Where the names tell splits (train-00000.parquet, "
                + "test.jsonl), those of train are read."),
        ConfigurationKey(
            "data.sources", \.data.sources, .sources,
            "Several sources, instead of `data.path`. With weights, each record's source is drawn by its weight, until one "
                + "that is drawn has no more records; without, the sources are read one after the other.",
            example: "[{path: dialogues.json, weight: 3}, {path: wiki.jsonl.zst, weight: 1, max_samples: 5000}]",
            caveat:
                "`data.seed` decides what is drawn. `max_samples` takes a source's first records. `format` and `split` are as "
                + "`data.format`, and the split of a folder's files."),
        ConfigurationKey(
            "data.eval_path", \.data.evaluationPaths, .textsOrNone,
            "What evaluations use, in any form that `data.path` may have. With it nothing is held out: all of `data.path` is "
                + "trained on.",
            example: "test.jsonl",
            caveat: "`data.max_eval_samples` limits it. Examples that are also trained on are counted and reported."),
        ConfigurationKey(
            "data.mapping", \.data.mapping, .mapping,
            "What the data call the parts of a record, of a turn (role, content) and who speaks (user, assistant, tool), where "
                + "they have names of their own.",
            example: "{messages: chat, role: speaker, content: says, user: Q, assistant: A}",
            caveat: "A record's own member of the usual name is left out where another one is mapped to it."),
        ConfigurationKey(
            "data.sample_by", \.data.textUnit, .choice,
            "What a record of a text file is: a line, a paragraph (up to a blank line), or the whole document.",
            example: "paragraph"),
        ConfigurationKey(
            "data.drop_duplicates", \.data.dropsDuplicates, .flag,
            "Whether records are left out that equal an earlier one but for white space. They are counted in any case.",
            example: "true"),
        ConfigurationKey(
            "data.format", \.data.format, .choice, "The shape of the records; auto goes by each record's keys.",
            example: "messages"),
        ConfigurationKey(
            "data.chat_template", \.data.chatTemplate, .text,
            "How dialogues become text: gemma, llama3, chatml, tokenizer (the template that came with the model), the path of a "
                + ".jinja file, or auto: the model's own, or, where it brings none, the built-in one whose turn markers its "
                + "vocabulary has.",
            example: "gemma",
            caveat:
                "A run resumes with the template that it began with. Where a template writes the date, it is that of the "
                + "run's start."),
        ConfigurationKey(
            "data.chat_template_kwargs", \.data.chatTemplateKwargs, .members,
            "Values that the chat template is given with every dialogue, as `apply_chat_template` takes them; a record's own "
                + "(`tools`, `documents`, `chat_template_kwargs`) come first.",
            example: "{enable_thinking: false}"),
        ConfigurationKey(
            "data.max_length", \.data.maxLength, .integer(from: 2), "Tokens of the longest example.", example: "512"),
        ConfigurationKey(
            "data.too_long", \.data.tooLong, .choice,
            "Whether longer examples are cut at their end (truncate) or left out (skip); skip_without_answer cuts them, and "
                + "leaves out those whose answer begins beyond `max_length`.",
            example: "skip_without_answer",
            caveat:
                "A cut example ends without its end-of-turn token. One that is cut before its answer begins trains the model "
                + "on the question alone; such examples are counted apart."),
        ConfigurationKey(
            "data.on_invalid", \.data.onInvalid, .choice, "Whether unfit records are left out or end the run.",
            example: "stop"),
        ConfigurationKey(
            "data.train_fraction", \.data.trainFraction, .fraction,
            "The share of the examples that is trained on; the rest is held out for evaluation.", example: "0.9",
            caveat: "Equal examples stay on one side, so the shares may differ a little where records repeat."),
        ConfigurationKey(
            "data.max_eval_samples", \.data.maxEvaluationSamples, .integer(from: 0),
            "How many of the held-out examples evaluations use, chosen evenly over sources and lengths.",
            example: "200"),
        ConfigurationKey(
            "data.loss_on", \.data.lossOn, .choice,
            "Which tokens are learnt: all, completions (the assistant's, with the token that ends its turn), or "
                + "last_completion (of a dialogue, only the last answer).",
            example: "completions",
            caveat:
                "A turn with `\"weight\": 0`, `\"train\": false` or `\"training\": false` is not learnt in any case. A token "
                + "belongs to an answer if any of its bytes does."),
        ConfigurationKey(
            "data.packing", \.data.packing, .choice,
            "Whether a step counts examples one by one (none), or counts as one what fits together into `max_length` tokens, put "
                + "together by best-fit decreasing (best_fit).",
            example: "best_fit",
            caveat:
                "It only shapes steps: nothing is padded here, and no example sees another one. Steps become of about the "
                + "same size."),
        ConfigurationKey(
            "data.text_blocks", \.data.textBlocks, .flag,
            "Whether records of the shape \"text\" are joined, each with its EOS, and cut into blocks of `max_length` tokens, as "
                + "for continued pre-training. No token is lost.",
            example: "true", caveat: "Other records stay examples of their own."),
        ConfigurationKey(
            "data.block_overlap", \.data.blockOverlap, .integer(from: 0),
            "Tokens at the end of a block that the next one begins with, as context that is not learnt again.",
            example: "64", caveat: "With 0 the first token of each block is not learnt: nothing stands before it."),
        ConfigurationKey(
            "data.shuffle", \.data.shuffle, .flag, "Whether the split and every epoch have a seeded random order.",
            example: "false"),
        ConfigurationKey(
            "data.seed", \.data.seed, .integer(from: 0, to: .max),
            "Seeds the split, the order, the adapters' first values and dropout.", example: "7"),
    ]
}
