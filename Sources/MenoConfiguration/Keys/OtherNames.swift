extension ConfigurationKey {
    /// Other names of keys: those of other generations of transformers, and where Trainer has what is in another section here.
    static let synonyms = [
        "training.evaluation_strategy": "training.eval_strategy", "training.use_cpu": "training.no_cuda",
        "training.activation_checkpointing": "training.gradient_checkpointing",
        "training.torch_empty_cache_steps": "training.memory_clear_interval",
        "training.per_gpu_train_batch_size": "training.per_device_train_batch_size",
        "training.per_gpu_eval_batch_size": "training.per_device_eval_batch_size",
        "training.output_dir": "base_output_dir", "training.seed": "data.seed",
        "training.max_length": "data.max_length", "training.max_seq_length": "data.max_length",
    ]

    /// A key whose values are said by others here.
    struct Translation: Sendable {
        let path: String
        let meanings: [(value: String, keys: [(path: String, value: String)])]
    }

    static let translated = [
        Translation(
            path: "training.train_sampling_strategy",
            meanings: [
                ("random", [("data.shuffle", "true"), ("training.group_by_length", "false")]),
                ("sequential", [("data.shuffle", "false"), ("training.group_by_length", "false")]),
                ("group_by_length", [("training.group_by_length", "true")]),
            ])
    ]
}
