"""Writes a model of transformers as a GGUF file, with the names of the gguf package and what llama.cpp's converter
(convert_hf_to_gguf.py) does to values and metadata."""
import math

import gguf
import torch

# Architectures whose queries and keys llama.cpp rotates in pairs of neighbors, and transformers in halves.
PERMUTED = {"llama", "granite", "granitemoe", "olmo", "smollm3", "arcee", "mistral3"}


def permuted(weight, heads):
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def rotary(writer, config, head_dim, window):
    parameters = getattr(config, "rope_parameters", None)
    if not parameters:
        return
    parameters = parameters.get("full_attention", parameters)
    base = parameters["rope_theta"]
    kind = parameters["rope_type"]
    if parameters.get("alpha"):
        base, kind = base * parameters["alpha"] ** (head_dim / (head_dim - 2)), "default"
    writer.add_rope_freq_base(base)
    dimension = int(head_dim * parameters.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(dimension)
    if kind in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
        writer.add_rope_scaling_factor(parameters["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_orig_ctx_len(parameters["original_max_position_embeddings"])
        if "mscale_all_dim" in parameters:
            writer.add_rope_scaling_yarn_log_mul(parameters["mscale_all_dim"])
        if "llama_4_scaling_beta" in parameters:
            writer.add_attn_temperature_scale(parameters["llama_4_scaling_beta"])
    if kind == "longrope":
        original = config.original_max_position_embeddings
        factor = config.max_position_embeddings / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors((1 + math.log(factor) / math.log(original)) ** 0.5)
        for name in ("long", "short"):
            values = torch.tensor(parameters[name + "_factor"], dtype=torch.float32)
            writer.add_tensor(f"rope_factors_{name}.weight", values.numpy())


def apart(weight, heads, keys):
    """All queries, all keys and all values, of rows that have the queries of a key, it and its value together."""
    queries = heads // keys
    groups = weight.reshape(keys, queries + 2, -1, *weight.shape[1:])
    parts = groups[:, :queries], groups[:, queries:queries + 1], groups[:, queries + 1:]
    return torch.cat([part.reshape(-1, *weight.shape[1:]) for part in parts])


def experts(writer, config, architecture):
    count = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    if not count:
        return
    writer.add_expert_count(count)
    writer.add_expert_used_count(config.num_experts_per_tok)
    if hasattr(config, "moe_intermediate_size"):
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if architecture == "gpt-oss":
        writer.add_expert_feed_forward_length(config.intermediate_size)
    if hasattr(config, "shared_expert_intermediate_size"):
        writer.add_expert_shared_feed_forward_length(config.shared_expert_intermediate_size)
    if architecture == "glm4moe":
        writer.add_expert_shared_count(config.n_shared_experts)
        writer.add_leading_dense_block_count(config.first_k_dense_replace)
        writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
        writer.add_expert_weights_scale(config.routed_scaling_factor)
        writer.add_expert_weights_norm(config.norm_topk_prob)


def stored_tensors(model, architecture):
    """The weights, those of gates and ups apart."""
    for name, tensor in model.state_dict().items():
        tensor = tensor.detach().float()
        if architecture == "phimoe":
            name = name.replace("mlp.router.", "block_sparse_moe.gate.")
        if architecture == "granitemoe":
            name = name.replace("block_sparse_moe.", "mlp.").replace(".router.", ".gate.")
        transposed = architecture == "gpt-oss"
        if name.endswith("experts.gate_up_proj") or name.endswith("experts.gate_up_proj_bias"):
            suffix = "_bias" if name.endswith("_bias") else ""
            if transposed:
                parts = tensor[..., ::2], tensor[..., 1::2]
                parts = parts if suffix else [part.transpose(1, 2) for part in parts]
            else:
                parts = tensor.chunk(2, dim=1)
            prefix = name.removesuffix("gate_up_proj" + suffix)
            ending = ".bias" if suffix else ".weight"
            yield prefix + "gate_proj" + ending, parts[0]
            yield prefix + "up_proj" + ending, parts[1]
        elif name.endswith("experts.down_proj"):
            yield name + ".weight", tensor.transpose(1, 2) if transposed else tensor
        elif name.endswith("experts.down_proj_bias"):
            yield name.removesuffix("_bias") + ".bias", tensor
        elif name.endswith("e_score_correction_bias"):
            yield name.replace("e_score_correction_bias", "e_score_correction.bias"), tensor
        elif name.endswith("sinks"):
            yield name + ".weight", tensor
        else:
            yield name, tensor


def write_gguf(model, architecture, path):
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    heads = config.num_attention_heads
    key_heads = heads if architecture in ("gptneox", "mpt") else getattr(config, "num_key_value_heads", None) or heads
    if architecture == "falcon":
        key_heads = config.num_kv_heads if config.new_decoder_architecture else 1 if config.multi_query else heads
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    writer.add_context_length(getattr(config, "max_position_embeddings", None) or config.max_seq_len)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    sizes = {"mpt": (), "gpt2": ("n_inner",)}.get(architecture, ("ffn_hidden_size", "intermediate_size"))
    writer.add_feed_forward_length(next((getattr(config, s) for s in sizes if getattr(config, s, None)), 4 * config.hidden_size))
    writer.add_head_count(heads)
    # GPT-2 has a key for each query, whatever its configuration says.
    writer.add_head_count_kv(heads if architecture == "gpt2" else key_heads)
    if getattr(config, "head_dim", None):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    experts(writer, config, architecture)
    if hasattr(config, "rms_norm_eps"):
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    else:
        keys = "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"
        writer.add_layer_norm_eps(next((getattr(config, key) for key in keys if hasattr(config, key)), 1e-5))
    if architecture == "mpt":
        writer.add_max_alibi_bias(config.attn_config.alibi_bias_max)
        if config.attn_config.clip_qkv:
            writer.add_clamp_kqv(config.attn_config.clip_qkv)
    if architecture == "gptneox":
        writer.add_parallel_residual(config.use_parallel_residual)
    if architecture == "olmo":
        writer.add_clamp_kqv(config.clip_qkv)
    window = getattr(config, "sliding_window", None)
    if window:
        writer.add_sliding_window(window)
    if architecture == "exaone4":
        writer.add_sliding_window_pattern([kind == "sliding_attention" for kind in config.layer_types])
    if architecture in ("granite", "granitemoe"):
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if architecture in ("command-r", "cohere2"):
        writer.add_logit_scale(config.logit_scale)
    if architecture == "stablelm":
        writer.add_parallel_residual(config.use_parallel_residual)
    rotary(writer, config, head_dim, window)
    # llama.cpp needs some vocabulary to open a file.
    tokens = ["<unk>", "<s>", "</s>"] + [f"t{index}" for index in range(3, config.vocab_size)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([2, 3, 3] + [1] * (len(tokens) - 3))
    kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    stacked = {}
    for name, values in stored_tensors(model, architecture):
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        if architecture in PERMUTED and ".q_proj." in name:
            values = permuted(values, heads)
        if architecture in PERMUTED and ".k_proj." in name:
            values = permuted(values, key_heads)
        if architecture in ("gptneox", "falcon") and ".query_key_value." in name:
            values = apart(values, heads, key_heads)
        if architecture == "stablelm" and "_layernorm.norms." in name:
            # Every head has a tensor of its own.
            name, head = name.removesuffix(".weight").rsplit(".norms.", 1)
            stacked.setdefault(name, {})[int(head)] = values
            if len(stacked[name]) < (heads if ".q_" in name else key_heads):
                continue
            values = torch.stack([stacked[name][index] for index in sorted(stacked[name])])
            name += ".weight"
        if architecture == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
            values = values.transpose(0, 1)
        if architecture in ("gemma", "nemotron") and name.endswith("norm.weight"):
            values = values + 1
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if stored is None:
            raise ValueError(f"{architecture} has no name for {name}")
        writer.add_tensor(stored, values.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
