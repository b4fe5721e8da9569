package import MenoErrors

extension Setting {
    /// The keys of `RUN.yaml` that make this choice; none where only an option of the command line does.
    package var keys: [String] {
        switch self {
        case .model: ["model.name_or_path"]
        case .dtype: ["model.dtype"]
        case .device: ["model.device"]
        case .dataPath: ["data.path"]
        case .maxLength: ["data.max_length"]
        case .onInvalid: ["data.on_invalid"]
        case .chatTemplate: ["data.chat_template"]
        case .baseOutputDirectory: ["base_output_dir"]
        case .loggingDirectory: ["training.logging_dir"]
        case .trackers: ["training.report_to"]
        case .epochs: ["training.num_train_epochs"]
        case .maxSteps: ["training.max_steps"]
        case .batchSize: ["training.per_device_train_batch_size"]
        case .dropsLast: ["training.dataloader_drop_last"]
        case .learningRate: ["training.learning_rate"]
        case .warmup: ["training.warmup_steps", "training.warmup_ratio"]
        case .gradientCheckpointing: ["training.gradient_checkpointing"]
        case .tokensPerPass: ["training.tokens_per_pass"]
        case .loraRank: ["lora.r"]
        case .loraAlpha: ["lora.lora_alpha"]
        case .loraDropout: ["lora.lora_dropout"]
        case .targetModules: ["lora.target_modules"]
        case .targetParameters: ["lora.target_parameters"]
        case .excludedModules: ["lora.exclude_modules"]
        case .layersToTransform: ["lora.layers_to_transform"]
        case .modulesToSave: ["lora.modules_to_save"]
        case .rankPattern: ["lora.rank_pattern"]
        case .alphaPattern: ["lora.alpha_pattern"]
        case .adapter, .initialAdapter: ["lora.init_adapter"]
        case .modelDownload, .resumption, .allowedChanges, .overwrites, .verification, .outputFolder: []
        }
    }
}
