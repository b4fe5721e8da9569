extension ConfigurationKey {
    /// A key of `TrainingArguments` or `LoraConfig` that has no counterpart in Meno.
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

    private static let ownProcesses = "Meno divides work among processes in its own way (`meno train --processes`)."
    private static let undivided = "processes do not divide the model's weights; see `training.sharding`."
    private static let rankZero = "only rank 0 writes files and logs."
    private static let network = "Meno does not upload models."
    private static let compiled = "Meno's kernels are already compiled."
    private static let scripts = "only the example scripts of transformers use it."

    /// The keys of transformers 5.
    private static let trainerKeys = [
        Foreign("training.accelerator_config", ["{}"], "Meno does not use Accelerate."),
        Foreign(
            "training.activation_checkpointing_kwargs", nil, "the way of recomputing layers does not change the result."
        ),
        Foreign(
            "training.auto_find_batch_size", ["false"],
            "`training.tokens_per_pass: auto` divides a batch to fit into memory, and a step that runs out of memory is repeated in "
                + "smaller passes, without changing the batch."),
        Foreign("training.average_tokens_across_devices", nil, "a loss is always normalized over its complete step."),
        Foreign("training.batch_eval_metrics", ["false"], "custom metrics are not supported."),
        Foreign(
            "training.bf16_full_eval", ["false"], "evaluations use the same type as training: use `training.bf16`."),
        Foreign("training.data_seed", [], "use `data.seed`, which seeds everything."),
        Foreign("training.dataloader_in_order", ["true"], "batches always come in order."),
        Foreign("training.dataloader_multiprocessing_context", nil, "batches are prepared by a thread."),
        Foreign("training.dataloader_persistent_workers", nil, "batches are prepared by a permanent thread."),
        Foreign(
            "training.dataloader_prefetch_factor", nil,
            "`training.dataloader_num_workers` sets how many steps are prepared ahead."),
        Foreign("training.ddp_backend", nil, ownProcesses),
        Foreign("training.ddp_broadcast_buffers", nil, ownProcesses),
        Foreign("training.ddp_bucket_cap_mb", nil, ownProcesses),
        Foreign("training.ddp_find_unused_parameters", nil, ownProcesses),
        Foreign("training.ddp_static_graph", nil, ownProcesses),
        Foreign("training.ddp_timeout", nil, ownProcesses),
        Foreign(
            "training.debug", ["", "[]"], "Meno always reports the records of a loss that is not finite."),
        Foreign("training.deepspeed", [], undivided),
        Foreign("training.do_eval", nil, scripts),
        Foreign("training.do_predict", nil, scripts),
        Foreign("training.do_train", nil, scripts),
        Foreign(
            "training.enable_jit_checkpoint", nil, "SIGTERM always ends a run after its step, with a checkpoint."),
        Foreign("training.eval_delay", ["0", "0.0"], "the first evaluation is after eval_steps."),
        Foreign("training.eval_do_concat_batches", nil, "logits are not kept."),
        Foreign("training.eval_use_gather_object", nil, ownProcesses),
        Foreign(
            "training.fp16_full_eval", ["false"],
            "evaluations use the same type as training, and float16 is not supported."),
        Foreign("training.fsdp", ["", "[]", "false"], undivided),
        Foreign("training.fsdp_config", ["{}"], undivided),
        Foreign(
            "training.full_determinism", ["false"],
            "on a CPU, a run always gives the same bytes; on a GPU, Meno cannot guarantee it."),
        Foreign(
            "training.gradient_checkpointing_kwargs", nil, "the way of recomputing layers does not change the result."),
        Foreign("training.hub_always_push", ["false"], network),
        Foreign("training.hub_model_id", [], network),
        Foreign("training.hub_private_repo", ["false"], network),
        Foreign("training.hub_revision", [], network),
        Foreign("training.hub_strategy", ["every_save"], network),
        Foreign("training.hub_token", [], network),
        Foreign("training.ignore_data_skip", ["false"], "a resumed run continues at the same place in the data."),
        Foreign("training.include_for_metrics", ["[]"], "custom metrics are not supported."),
        Foreign(
            "training.include_num_input_tokens_seen", nil, "`trainer_state.json` always contains the number of tokens."),
        Foreign("training.label_names", ["[]", "[labels]"], "`data.loss_on` selects the tokens that carry loss."),
        Foreign("training.length_column_name", nil, "Meno takes lengths from the examples."),
        Foreign("training.liger_kernel_config", ["{}"], "Meno uses its own kernels."),
        Foreign("training.local_rank", ["-1", "0"], "the rank comes from the environment (LOCAL_RANK)."),
        Foreign("training.log_level", ["passive", "info", "warning"], "use --quiet on the command line."),
        Foreign("training.log_level_replica", nil, rankZero),
        Foreign("training.log_on_each_node", nil, rankZero),
        Foreign("training.logging_nan_inf_filter", ["true"], "a loss that is not finite is never averaged."),
        Foreign(
            "training.optim_args", ["", "{}"], "set the optimizer's constants with their own keys, such as adam_beta1."),
        Foreign("training.optim_target_modules", [], "GaLore, LOMO and APOLLO are not supported."),
        Foreign("training.parallelism_config", [], undivided),
        Foreign("training.prediction_loss_only", nil, "an evaluation computes losses and does not keep predictions."),
        Foreign("training.project", ["huggingface"], "Trackio is not supported; see `training.report_to`."),
        Foreign("training.push_to_hub", ["false"], network),
        Foreign("training.remove_unused_columns", nil, "Meno reads the keys that it needs and ignores the others."),
        Foreign(
            "training.restore_callback_states_from_checkpoint", nil,
            "a resumed run always restores its complete state."),
        Foreign("training.resume_from_checkpoint", ["false"], "use --resume on the command line."),
        Foreign("training.save_on_each_node", nil, rankZero),
        Foreign("training.skip_memory_metrics", nil, "memory is measured with every log line."),
        Foreign("training.tf32", ["false"], "`model.dtype` sets the type of products."),
        Foreign("training.torch_compile", ["false"], compiled),
        Foreign("training.torch_compile_backend", [], compiled),
        Foreign("training.torch_compile_mode", [], compiled),
        Foreign("training.trackio_bucket_id", [], "Trackio is not supported; see `training.report_to`."),
        Foreign("training.trackio_space_id", ["trackio"], "Trackio is not supported; see `training.report_to`."),
        Foreign("training.trackio_static_space_id", [], "Trackio is not supported; see `training.report_to`."),
        Foreign("training.use_cache", nil, "training does not use a key-value cache."),
        Foreign("training.use_liger_kernel", nil, "Meno uses its own kernels, which do not keep logits either."),
    ]

    /// Keys of older versions of transformers.
    private static let olderTrainerKeys = [
        Foreign("training.adafactor", ["false"], "use `training.optim: adafactor`."),
        Foreign("training.dispatch_batches", ["false"], ownProcesses),
        Foreign("training.eval_use_gather", nil, ownProcesses),
        Foreign("training.fp16_backend", ["auto"], "float16 is not supported."),
        Foreign("training.fp16_opt_level", ["O1"], "float16 is not supported."),
        Foreign("training.fsdp_min_num_params", ["0"], undivided),
        Foreign("training.fsdp_transformer_layer_cls_to_wrap", [], undivided),
        Foreign("training.half_precision_backend", ["auto"], "float16 is not supported."),
        Foreign("training.include_inputs_for_metrics", ["false"], "custom metrics are not supported."),
        Foreign("training.include_tokens_per_second", nil, "the log always shows tokens per second."),
        Foreign("training.jit_mode_eval", ["false"], compiled),
        Foreign("training.mp_parameters", [""], undivided),
        Foreign("training.overwrite_output_dir", ["false"], "use --overwrite on the command line."),
        Foreign("training.past_index", ["-1"], "no supported model keeps state between batches."),
        Foreign("training.push_to_hub_model_id", [], network),
        Foreign("training.push_to_hub_organization", [], network),
        Foreign("training.push_to_hub_token", [], network),
        Foreign("training.ray_scope", nil, "hyperparameter search is not supported."),
        Foreign("training.save_safetensors", ["true"], "weights are always saved as safetensors."),
        Foreign("training.sharded_ddp", ["", "[]"], undivided),
        Foreign("training.split_batches", ["false"], ownProcesses),
        Foreign("training.torchdynamo", [], compiled),
        Foreign("training.tpu_metrics_debug", ["false"], "TPUs are not supported."),
        Foreign("training.tpu_num_cores", [], "TPUs are not supported."),
        Foreign("training.use_ipex", ["false"], "Meno uses its own kernels."),
        Foreign("training.use_legacy_prediction_loop", ["false"], "logits are not kept."),
        Foreign("training.use_mps_device", ["false"], "use `model.device: mps`."),
        Foreign("training.xpu_backend", [], "XPUs are not supported."),
    ]

    /// The keys of TRL's preference trainers.
    private static let preferenceKeys = [
        Foreign(
            "training.activation_offloading", ["false"],
            "Meno recomputes layers instead; see `training.gradient_checkpointing`."),
        Foreign("training.dataset_num_proc", nil, "Meno decides how many threads prepare records."),
        Foreign("training.discopop_tau", nil, "the loss_type discopop is not supported."),
        Foreign("training.f_alpha_divergence_coef", nil, "it only applies to alpha_divergence."),
        Foreign("training.f_divergence_type", ["reverse_kl"], "only the reverse KL divergence is supported."),
        Foreign(
            "training.generate_during_eval", ["false"], "use probe questions at evaluations: `monitor.probes`."),
        Foreign("training.is_encoder_decoder", ["false"], "Meno trains causal language models."),
        Foreign("training.ld_alpha", [], "all tokens of a completion have the same weight."),
        Foreign("training.max_completion_length", [], "use `data.max_length`, which covers prompt and completion."),
        Foreign("training.max_prompt_length", [], "use `data.max_length`, which covers prompt and completion."),
        Foreign("training.model_init_kwargs", ["{}"], "use the keys of `model`."),
        Foreign("training.pad_to_multiple_of", nil, "Meno never pads."),
        Foreign("training.padding_free", nil, "Meno never pads."),
        Foreign("training.padding_value", nil, "Meno never pads."),
        Foreign("training.precompute_ref_batch_size", nil, "Meno chooses what to compute together from the memory."),
        Foreign("training.ref_model_mixup_alpha", nil, "it only applies to sync_ref_model."),
        Foreign("training.ref_model_sync_steps", nil, "it only applies to sync_ref_model."),
        Foreign("training.router_aux_loss_coef", ["0", "0.0"], "the router loss follows the model's `config.json`."),
        Foreign("training.sync_ref_model", ["false"], "the reference model does not change."),
        Foreign("training.truncation_mode", ["keep_start"], "sequences are always cut at the end."),
        Foreign("training.trust_remote_code", nil, "Meno never runs code that comes with a model."),
        Foreign("training.use_weighting", ["false"], "all pairs have the same weight."),
    ]

    /// The keys of PEFT.
    private static let peftKeys = [
        Foreign("lora.alora_invocation_tokens", [], "adapters apply to every token."),
        Foreign("lora.arrow_config", [], "a run has one adapter."),
        Foreign("lora.auto_mapping", [], "Meno identifies models by their architecture."),
        Foreign("lora.base_model_name_or_path", [], "use `model.name_or_path`."),
        Foreign("lora.bias", ["none"], "biases are frozen; name modules in `lora.modules_to_save` to train them."),
        Foreign("lora.corda_config", [], initialised),
        Foreign(
            "lora.ensure_weight_tying", nil, "a tied head and embedding always stay tied."),
        Foreign("lora.eva_config", [], initialised),
        Foreign("lora.fan_in_fan_out", ["false"], "Meno handles transposed weights itself."),
        Foreign("lora.inference_mode", ["false"], "a run trains its adapter."),
        Foreign("lora.init_lora_weights", ["true"], initialised),
        Foreign("lora.kasa_config", [], initialised),
        Foreign("lora.layer_replication", ["[]"], "layers cannot be replicated."),
        Foreign(
            "lora.layers_pattern", ["layers", "[layers]", "[]"], "Meno names the layers of every model `layers`."),
        Foreign("lora.loftq_config", ["{}"], initialised),
        Foreign("lora.lora_bias", ["false"], "adapters have no bias."),
        Foreign("lora.lora_ga_config", [], initialised),
        Foreign("lora.megatron_config", [], "Megatron is not supported."),
        Foreign("lora.megatron_core", ["megatron.core"], "Megatron is not supported."),
        Foreign("lora.monteclora_config", [], "only LoRA and DoRA are supported."),
        Foreign("lora.peft_type", ["LORA"], "only LoRA and DoRA are supported."),
        Foreign("lora.peft_version", nil, "Meno reads the adapters of all versions."),
        Foreign("lora.qalora_group_size", nil, "it only applies to use_qalora."),
        Foreign("lora.revision", ["main"], "put the revision into `model.name_or_path`: org/name@revision."),
        Foreign("lora.runtime_config", nil, "it does not change the result."),
        Foreign("lora.task_type", ["CAUSAL_LM"], "Meno trains causal language models."),
        Foreign("lora.trainable_token_indices", ["[]"], "use embed_tokens in `lora.modules_to_save`."),
        Foreign("lora.use_bdlora", ["false"], "only LoRA and DoRA are supported."),
        Foreign("lora.use_qalora", ["false"], "only LoRA and DoRA are supported."),
        Foreign("lora.velora_config", [], "only LoRA and DoRA are supported."),
    ]

    private static let initialised =
        "adapters are initialized like PEFT's default; use `lora.init_adapter` for other initial weights."
}
