extension ConfigurationKey {
    /// A key of `TrainingArguments` or `LoraConfig` without a counterpart here.
    struct Foreign: Sendable {
        let path: String
        /// The accepted values, which request nothing or what Meno does anyway, each on one line; `nil`: any.
        let accepted: [String]?
        let reason: String

        func accepts(_ value: String) -> Bool { accepted?.contains { $0.lowercased() == value.lowercased() } ?? true }

        var acceptedText: String {
            guard let accepted else { return "any" }
            return accepted.isEmpty ? "null" : accepted.map { $0.isEmpty ? "empty" : "`\($0)`" }.joined(separator: ", ")
        }

        init(_ path: String, _ accepted: [String]? = [], _ reason: String) {
            self.path = path
            self.accepted = accepted
            self.reason = reason
        }
    }

    /// All foreign keys, sorted by name.
    static let foreign: [Foreign] = (trainerKeys + olderTrainerKeys + preferenceKeys + peftKeys).sorted {
        $0.path < $1.path
    }

    private static let oneProcess = "a run has one process on one device."
    private static let network = "Meno uploads no models."
    private static let compiled = "what is trained is compiled already."
    private static let scripts = "only transformers' example scripts read it."

    /// The keys of transformers 5.
    private static let trainerKeys = [
        Foreign("training.accelerator_config", ["{}"], "there is no Accelerate."),
        Foreign("training.activation_checkpointing_kwargs", nil, "how layers are computed again changes no result."),
        Foreign(
            "training.auto_find_batch_size", ["false"],
            "`training.tokens_per_pass: auto` divides a batch as memory allows, and a step that runs out of it is done again in "
                + "smaller passes, without changing the batch."),
        Foreign("training.average_tokens_across_devices", nil, "a loss is normalised over its whole step in any case."),
        Foreign("training.batch_eval_metrics", ["false"], "there are no metrics of one's own."),
        Foreign("training.bf16_full_eval", ["false"], "evaluations compute as training does: write `training.bf16`."),
        Foreign("training.data_seed", [], "write `data.seed`, which seeds everything."),
        Foreign("training.dataloader_in_order", ["true"], "batches come in their order."),
        Foreign("training.dataloader_multiprocessing_context", nil, "batches are prepared by a thread."),
        Foreign("training.dataloader_persistent_workers", nil, "batches are prepared by a thread that stays."),
        Foreign(
            "training.dataloader_prefetch_factor", nil,
            "`training.dataloader_num_workers` says how many steps are prepared ahead."),
        Foreign("training.ddp_backend", nil, oneProcess),
        Foreign("training.ddp_broadcast_buffers", nil, oneProcess),
        Foreign("training.ddp_bucket_cap_mb", nil, oneProcess),
        Foreign("training.ddp_find_unused_parameters", nil, oneProcess),
        Foreign("training.ddp_static_graph", nil, oneProcess),
        Foreign("training.ddp_timeout", nil, oneProcess),
        Foreign(
            "training.debug", ["", "[]"], "a loss that is not finite ends no run silently: its records are named."),
        Foreign("training.deepspeed", [], oneProcess),
        Foreign("training.do_eval", nil, scripts),
        Foreign("training.do_predict", nil, scripts),
        Foreign("training.do_train", nil, scripts),
        Foreign(
            "training.enable_jit_checkpoint", nil, "SIGTERM ends a run after its step with a checkpoint in any case."),
        Foreign("training.eval_delay", ["0", "0.0"], "evaluations begin after the first eval_steps."),
        Foreign("training.eval_do_concat_batches", nil, "no logits are kept."),
        Foreign("training.eval_use_gather_object", nil, oneProcess),
        Foreign("training.fp16_full_eval", ["false"], "evaluations compute as training does, and float16 is refused."),
        Foreign("training.fsdp", ["", "[]", "false"], oneProcess),
        Foreign("training.fsdp_config", ["{}"], oneProcess),
        Foreign(
            "training.full_determinism", ["false"],
            "on a CPU a run is the same byte by byte in any case; on a GPU that is not promised."),
        Foreign("training.gradient_checkpointing_kwargs", nil, "how layers are computed again changes no result."),
        Foreign("training.hub_always_push", ["false"], network),
        Foreign("training.hub_model_id", [], network),
        Foreign("training.hub_private_repo", ["false"], network),
        Foreign("training.hub_revision", [], network),
        Foreign("training.hub_strategy", ["every_save"], network),
        Foreign("training.hub_token", [], network),
        Foreign("training.ignore_data_skip", ["false"], "a resumed run goes on where its data were."),
        Foreign("training.include_for_metrics", ["[]"], "there are no metrics of one's own."),
        Foreign(
            "training.include_num_input_tokens_seen", nil, "`trainer_state.json` has the number of tokens in any case."),
        Foreign("training.label_names", ["[]", "[labels]"], "`data.loss_on` says what is learnt."),
        Foreign("training.length_column_name", nil, "lengths are those of the examples."),
        Foreign("training.liger_kernel_config", ["{}"], "Meno's own kernels are used."),
        Foreign("training.local_rank", ["-1", "0"], oneProcess),
        Foreign("training.log_level", ["passive", "info", "warning"], "give --quiet on the command line."),
        Foreign("training.log_level_replica", nil, oneProcess),
        Foreign("training.log_on_each_node", nil, oneProcess),
        Foreign("training.logging_nan_inf_filter", ["true"], "a loss that is not finite never enters an average."),
        Foreign(
            "training.optim_args", ["", "{}"], "write the optimizer's constants by their own names, as adam_beta1."),
        Foreign("training.optim_target_modules", [], "there is no GaLore, LOMO or APOLLO."),
        Foreign("training.parallelism_config", [], oneProcess),
        Foreign("training.prediction_loss_only", nil, "an evaluation computes losses and keeps no predictions."),
        Foreign("training.project", ["huggingface"], "there is no Trackio; see `training.report_to`."),
        Foreign("training.push_to_hub", ["false"], network),
        Foreign("training.remove_unused_columns", nil, "records are read by their keys; others are left alone."),
        Foreign(
            "training.restore_callback_states_from_checkpoint", nil,
            "a resumed run restores all of its state in any case."),
        Foreign("training.resume_from_checkpoint", ["false"], "give --resume on the command line."),
        Foreign("training.save_on_each_node", nil, oneProcess),
        Foreign("training.skip_memory_metrics", nil, "memory is measured with every line of the log."),
        Foreign("training.tf32", ["false"], "products compute as `model.dtype` says."),
        Foreign("training.torch_compile", ["false"], compiled),
        Foreign("training.torch_compile_backend", [], compiled),
        Foreign("training.torch_compile_mode", [], compiled),
        Foreign("training.trackio_bucket_id", [], "there is no Trackio; see `training.report_to`."),
        Foreign("training.trackio_space_id", ["trackio"], "there is no Trackio; see `training.report_to`."),
        Foreign("training.trackio_static_space_id", [], "there is no Trackio; see `training.report_to`."),
        Foreign("training.use_cache", nil, "training keeps no keys and values."),
        Foreign("training.use_liger_kernel", nil, "Meno's own kernels are used, which keep no logits either."),
    ]

    /// Keys of older versions of transformers.
    private static let olderTrainerKeys = [
        Foreign("training.adafactor", ["false"], "write `training.optim: adafactor`."),
        Foreign("training.dispatch_batches", ["false"], oneProcess),
        Foreign("training.eval_use_gather", nil, oneProcess),
        Foreign("training.fp16_backend", ["auto"], "float16 is refused."),
        Foreign("training.fp16_opt_level", ["O1"], "float16 is refused."),
        Foreign("training.fsdp_min_num_params", ["0"], oneProcess),
        Foreign("training.fsdp_transformer_layer_cls_to_wrap", [], oneProcess),
        Foreign("training.half_precision_backend", ["auto"], "float16 is refused."),
        Foreign("training.include_inputs_for_metrics", ["false"], "there are no metrics of one's own."),
        Foreign("training.include_tokens_per_second", nil, "the log tells tokens per second in any case."),
        Foreign("training.jit_mode_eval", ["false"], compiled),
        Foreign("training.mp_parameters", [""], oneProcess),
        Foreign("training.overwrite_output_dir", ["false"], "give --overwrite on the command line."),
        Foreign("training.past_index", ["-1"], "no model that Meno knows has a memory between batches."),
        Foreign("training.push_to_hub_model_id", [], network),
        Foreign("training.push_to_hub_organization", [], network),
        Foreign("training.push_to_hub_token", [], network),
        Foreign("training.ray_scope", nil, "there is no search for hyperparameters."),
        Foreign("training.save_safetensors", ["true"], "weights are always saved as safetensors."),
        Foreign("training.sharded_ddp", ["", "[]"], oneProcess),
        Foreign("training.split_batches", ["false"], oneProcess),
        Foreign("training.torchdynamo", [], compiled),
        Foreign("training.tpu_metrics_debug", ["false"], "there are no TPUs."),
        Foreign("training.tpu_num_cores", [], "there are no TPUs."),
        Foreign("training.use_ipex", ["false"], "Meno's own kernels are used."),
        Foreign("training.use_legacy_prediction_loop", ["false"], "no logits are kept."),
        Foreign("training.use_mps_device", ["false"], "write `model.device: mps`."),
        Foreign("training.xpu_backend", [], oneProcess),
    ]

    /// The keys of TRL's preference trainers.
    private static let preferenceKeys = [
        Foreign("training.activation_offloading", ["false"], "layers are computed again where memory asks for it."),
        Foreign("training.dataset_num_proc", nil, "records are read by one thread."),
        Foreign("training.discopop_tau", nil, "there is no loss_type discopop."),
        Foreign("training.f_alpha_divergence_coef", nil, "it only means something with alpha_divergence."),
        Foreign("training.f_divergence_type", ["reverse_kl"], "the reverse divergence is the only one."),
        Foreign(
            "training.generate_during_eval", ["false"], "probe questions are asked at evaluations: `monitor.probes`."),
        Foreign("training.is_encoder_decoder", ["false"], "models are causal language models."),
        Foreign("training.ld_alpha", [], "every token of a completion counts alike."),
        Foreign("training.max_completion_length", [], "write `data.max_length`, which is of prompt and completion."),
        Foreign("training.max_prompt_length", [], "write `data.max_length`, which is of prompt and completion."),
        Foreign("training.model_init_kwargs", ["{}"], "write the keys of `model`."),
        Foreign("training.pad_to_multiple_of", nil, "nothing is padded."),
        Foreign("training.padding_free", nil, "nothing is padded."),
        Foreign("training.padding_value", nil, "nothing is padded."),
        Foreign("training.precompute_ref_batch_size", nil, "memory decides what is computed together."),
        Foreign("training.ref_model_mixup_alpha", nil, "it only means something with sync_ref_model."),
        Foreign("training.ref_model_sync_steps", nil, "it only means something with sync_ref_model."),
        Foreign("training.router_aux_loss_coef", ["0", "0.0"], "the loss of a router is not computed."),
        Foreign("training.sync_ref_model", ["false"], "the reference stays as it is."),
        Foreign("training.truncation_mode", ["keep_start"], "sequences are cut at their ends."),
        Foreign("training.trust_remote_code", nil, "no code is run that comes with a model."),
        Foreign("training.use_weighting", ["false"], "every pair counts alike."),
    ]

    /// The keys of PEFT.
    private static let peftKeys = [
        Foreign("lora.alora_invocation_tokens", [], "adapters hold for every token."),
        Foreign("lora.arrow_config", [], "a run has one adapter."),
        Foreign("lora.auto_mapping", [], "models are known by their architecture."),
        Foreign("lora.base_model_name_or_path", [], "write `model.name_or_path`."),
        Foreign("lora.bias", ["none"], "biases are frozen; name modules in `lora.modules_to_save` to train them."),
        Foreign("lora.corda_config", [], initialised),
        Foreign(
            "lora.ensure_weight_tying", nil, "where the head is the embedding, the two stay one in any case."),
        Foreign("lora.eva_config", [], initialised),
        Foreign("lora.fan_in_fan_out", ["false"], "no model that Meno knows has transposed weights."),
        Foreign("lora.inference_mode", ["false"], "a run trains its adapter."),
        Foreign("lora.init_lora_weights", ["true"], initialised),
        Foreign("lora.kasa_config", [], initialised),
        Foreign("lora.layer_replication", ["[]"], "a model keeps its layers."),
        Foreign(
            "lora.layers_pattern", ["layers", "[layers]", "[]"], "every model's layers are named `layers` here."),
        Foreign("lora.loftq_config", ["{}"], initialised),
        Foreign("lora.lora_bias", ["false"], "adapters have no bias."),
        Foreign("lora.lora_ga_config", [], initialised),
        Foreign("lora.megatron_config", [], "there is no Megatron."),
        Foreign("lora.megatron_core", ["megatron.core"], "there is no Megatron."),
        Foreign("lora.monteclora_config", [], "adapters are LoRA or DoRA."),
        Foreign("lora.peft_type", ["LORA"], "adapters are LoRA or DoRA."),
        Foreign("lora.peft_version", nil, "what PEFT wrote is read by what it says."),
        Foreign("lora.qalora_group_size", nil, "it only means something with use_qalora."),
        Foreign("lora.revision", ["main"], "a model is the folder or file that is named."),
        Foreign("lora.runtime_config", nil, "it changes no result."),
        Foreign("lora.task_type", ["CAUSAL_LM"], "models are causal language models."),
        Foreign("lora.trainable_token_indices", ["[]"], "name embed_tokens in `lora.modules_to_save`."),
        Foreign("lora.use_bdlora", ["false"], "adapters are LoRA or DoRA."),
        Foreign("lora.use_qalora", ["false"], "adapters are LoRA or DoRA."),
        Foreign("lora.velora_config", [], "adapters are LoRA or DoRA."),
    ]

    private static let initialised = "adapters begin as PEFT's default has it; `lora.init_adapter` gives others."
}
