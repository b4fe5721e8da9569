"""Makes Tests/Reference/fixtures/models: tiny random models, and what transformers and PEFT compute with them.

    pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2 gguf && python Tests/Reference/make_models.py [NAME]...

Each folder holds a model as save_pretrained writes it, for the families a GGUF file of it (model.gguf), a LoRA adapter as PEFT
writes it, and
  expected.json         sequences, labels (-100: no loss), the loss per label with the adapter, greedy continuations
                        the eight optimizer steps of Trainer from that adapter (loss over all tokens of a step, gradient
                        norm before clipping, learning rate used)
  expected.safetensors  logits.N, adapted_logits.N of every sequence alone, gradient.NAME of every adapter tensor,
                        final.NAME after the eight steps
"""
import json
import pathlib
import shutil
import sys
import zlib

import torch
import transformers
from gguf_models import write_gguf
from random_models import adapt, randomise
from safetensors.torch import save_file
from trainer_steps import logits, trajectory
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig,
                          LlamaForCausalLM)

out = pathlib.Path(__file__).parent / "fixtures/models"
sizes = dict(vocab_size=96, hidden_size=16, intermediate_size=32, num_attention_heads=4, head_dim=8,
             max_position_embeddings=128, attn_implementation="eager", pad_token_id=0, bos_token_id=1, eos_token_id=2)
models = {
    "gemma3-tiny": (Gemma3ForCausalLM, Gemma3TextConfig(
        **sizes, num_hidden_layers=4, num_key_value_heads=1, sliding_window=8, query_pre_attn_scalar=12,
        layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}})),
    "gemma2-tiny": (Gemma2ForCausalLM, Gemma2Config(
        **sizes, num_hidden_layers=4, num_key_value_heads=2, sliding_window=8, query_pre_attn_scalar=12,
        attn_logit_softcapping=3.0, final_logit_softcapping=2.0)),
    "llama-tiny": (LlamaForCausalLM, LlamaConfig(
        **sizes, num_hidden_layers=3, num_key_value_heads=2, tie_word_embeddings=True,
        rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32})),
    "llama-untied": (LlamaForCausalLM, LlamaConfig(
        **sizes, num_hidden_layers=2, num_key_value_heads=4, tie_word_embeddings=False)),
}
# Awkward sizes: an odd number of heads, of which keys have one; sizes that no vector register divides; windows shorter than the
# texts.
odd = dict(vocab_size=47, hidden_size=24, intermediate_size=14, num_attention_heads=3, num_key_value_heads=1,
           num_hidden_layers=2, max_position_embeddings=64, attn_implementation="eager", pad_token_id=0, bos_token_id=1,
           eos_token_id=2)
rope = lambda kind="default", base=10000.0, **more: {"rope_type": kind, "rope_theta": base, **more}
# Name: class, additional configuration, general.architecture in GGUF files.
families = {
    "qwen2-tiny": ("Qwen2", dict(num_hidden_layers=3, use_sliding_window=True, sliding_window=6, max_window_layers=1,
                                 tie_word_embeddings=True), None),
    "qwen2-yarn": ("Qwen2", dict(rope_parameters=rope("yarn", 1e4, factor=4.0, original_max_position_embeddings=16)), "qwen2"),
    "qwen3-tiny": ("Qwen3", dict(head_dim=10, rope_parameters=rope(base=1e6)), "qwen3"),
    "llama-dynamic": ("Llama", dict(max_position_embeddings=24, rope_parameters=rope("dynamic", factor=2.0),
                                    attention_bias=True, mlp_bias=True), None),
    "mistral-tiny": ("Mistral", dict(head_dim=10, sliding_window=7), None),
    "ministral-tiny": ("Ministral", dict(
        head_dim=10, sliding_window=7, layer_types=["full_attention", "sliding_attention"]), None),
    "ministral3-tiny": ("Ministral3", dict(
        head_dim=10, rope_parameters=rope("yarn", 1e6, factor=4.0, original_max_position_embeddings=8, beta_fast=32.0,
                                          beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1)), "mistral3"),
    "phi3-tiny": ("Phi3", dict(
        original_max_position_embeddings=24,
        rope_parameters=rope("longrope", partial_rotary_factor=0.75, short_factor=[1.0, 1.25, 1.5],
                             long_factor=[1.5, 3.0, 6.0])), "phi3"),
    "gemma-tiny": ("Gemma", dict(head_dim=10, tie_word_embeddings=True), "gemma"),
    "olmo2-tiny": ("Olmo2", dict(), "olmo2"),
    "olmo3-tiny": ("Olmo3", dict(
        num_hidden_layers=4, sliding_window=7,
        rope_parameters={"full_attention": rope("yarn", 5e5, factor=4.0, original_max_position_embeddings=16),
                         "sliding_attention": rope(base=5e5)}), "olmo2"),
    "granite-tiny": ("Granite", dict(embedding_multiplier=3.0, logits_scaling=2.5, residual_multiplier=0.3,
                                     attention_multiplier=0.2, tie_word_embeddings=True), "granite"),
    "smollm3-tiny": ("SmolLM3", dict(
        num_hidden_layers=4, tie_word_embeddings=True, no_rope_layers=[1, 1, 1, 0]), "smollm3"),
    "glm-tiny": ("Glm", dict(head_dim=8), "chatglm"),
    "glm4-tiny": ("Glm4", dict(head_dim=8), "glm4"),
    "cohere-tiny": ("Cohere", dict(logit_scale=0.3), "command-r"),
    "cohere-normalized": ("Cohere", dict(use_qk_norm=True, logit_scale=0.3), None),
    "cohere2-tiny": ("Cohere2", dict(num_hidden_layers=4, sliding_window=7, logit_scale=0.3), "cohere2"),
    "stablelm-tiny": ("StableLm", dict(use_qkv_bias=True), "stablelm"),
    "stablelm-normalized": ("StableLm", dict(qk_layernorm=True), "stablelm"),
    "stablelm-parallel": ("StableLm", dict(use_parallel_residual=True), None),
    "exaone4-tiny": ("Exaone4", dict(sliding_window=None, layer_types=["full_attention"] * 2), "exaone4"),
    "exaone4-windows": ("Exaone4", dict(num_hidden_layers=4, sliding_window=7, sliding_window_pattern=4), None),
    "seed-oss-tiny": ("SeedOss", dict(head_dim=10, attention_dropout=0.0, residual_dropout=0.0,
                                         rope_parameters=rope("linear", factor=2.0)), "seed_oss"),
    "arcee-tiny": ("Arcee", dict(head_dim=10), "arcee"),
    "ernie4-5-tiny": ("Ernie4_5", dict(head_dim=10, tie_word_embeddings=True), "ernie4_5"),
    "hunyuan-tiny": ("HunYuanDenseV1", dict(
        head_dim=10, rope_parameters=rope("dynamic", alpha=50.0, factor=1.0)), "hunyuan-dense"),
    "helium-tiny": ("Helium", dict(head_dim=8), None),
}
# Mixtures of experts: sizes as above, several experts a token.
moe = dict(moe_intermediate_size=10, num_experts=5, num_experts_per_tok=2, experts_implementation="eager")
local = dict(num_local_experts=5, num_experts_per_tok=3, experts_implementation="eager")
families |= {
    "mixtral-tiny": ("Mixtral", dict(**local, head_dim=10), "llama"),
    "qwen2-moe-tiny": ("Qwen2Moe", dict(
        **moe, shared_expert_intermediate_size=12), "qwen2moe"),
    "qwen2-moe-windows": ("Qwen2Moe", dict(
        **moe, shared_expert_intermediate_size=6, num_hidden_layers=3, use_sliding_window=True, sliding_window=6,
        max_window_layers=3, qkv_bias=False, norm_topk_prob=True, tie_word_embeddings=True), None),
    "qwen3-moe-tiny": ("Qwen3Moe", dict(**moe, head_dim=10, norm_topk_prob=True), "qwen3moe"),
    "qwen3-moe-dense": ("Qwen3Moe", dict(
        **moe, num_hidden_layers=4, mlp_only_layers=[1], decoder_sparse_step=2, tie_word_embeddings=True), None),
    "qwen3-moe-balanced": ("Qwen3Moe", dict(**moe, head_dim=8, output_router_logits=True, router_aux_loss_coef=0.3), None),
    "olmoe-tiny": ("Olmoe", dict(num_experts=6, num_experts_per_tok=3, experts_implementation="eager"), "olmoe"),
    "olmoe-clipped": ("Olmoe", dict(num_experts=4, num_experts_per_tok=2, norm_topk_prob=True, clip_qkv=1.5,
                                    experts_implementation="eager"), None),
    "granitemoe-tiny": ("GraniteMoe", dict(
        **local, embedding_multiplier=3.0, logits_scaling=2.5, residual_multiplier=0.3, attention_multiplier=0.2,
        tie_word_embeddings=True), "granitemoe"),
    "granitemoehybrid-tiny": ("GraniteMoeHybrid", dict(
        **local, embedding_multiplier=3.0, logits_scaling=2.5, residual_multiplier=0.3, attention_multiplier=0.2,
        shared_intermediate_size=12, mamba_n_heads=8, layer_types=["full_attention"] * 2, position_embedding_type="rope"), None),
    "granitemoehybrid-dense": ("GraniteMoeHybrid", dict(
        num_local_experts=0, num_experts_per_tok=0, attention_multiplier=0.2, shared_intermediate_size=12, mamba_n_heads=8,
        layer_types=["full_attention"] * 2, tie_word_embeddings=True), None),
    "phimoe-tiny": ("Phimoe", dict(
        num_local_experts=5, num_experts_per_tok=2, experts_implementation="eager", attention_bias=True, lm_head_bias=True,
        router_jitter_noise=0.2), None),
    "phimoe-plain": ("Phimoe", dict(num_local_experts=4, num_experts_per_tok=2, experts_implementation="eager", attention_bias=True,
                                    lm_head_bias=True), "phimoe"),
    "glm4-moe-tiny": ("Glm4Moe", dict(
        moe_intermediate_size=10, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=2, n_group=3, topk_group=2,
        routed_scaling_factor=1.7, num_hidden_layers=3, head_dim=8, use_qk_norm=True, attention_bias=True, num_mtp_layers=0,
        experts_implementation="eager"), None),
    "glm4-moe-plain": ("Glm4Moe", dict(
        moe_intermediate_size=10, n_routed_experts=4, num_experts_per_tok=3, norm_topk_prob=False, head_dim=8,
        num_mtp_layers=0, experts_implementation="eager"), "glm4moe"),
    "gpt-oss-tiny": ("GptOss", dict(
        **local, head_dim=10, sliding_window=7,
        rope_parameters=rope("yarn", 1.5e5, factor=4.0, original_max_position_embeddings=16, beta_fast=32.0, beta_slow=1.0,
                             truncate=False)), "gpt-oss"),
    "gpt-oss-clamped": ("GptOss", dict(**local, head_dim=10, layer_types=["full_attention"] * 2, swiglu_limit=0.7), None),
}
# Layers of other kinds.
nodrop = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
families |= {
    "gpt-neox-tiny": ("GPTNeoX", dict(), "gptneox"),
    "gpt-neox-serial": ("GPTNeoX", dict(use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True,
                                        rope_parameters=rope(base=5e4, partial_rotary_factor=0.75)), "gptneox"),
    "gpt2-tiny": ("GPT2", dict(n_inner=14, **nodrop), "gpt2"),
    "gpt2-untied": ("GPT2", dict(scale_attn_by_inverse_layer_idx=True, tie_word_embeddings=False, **nodrop), None),
    "phi-tiny": ("Phi", dict(), "phi2"),
    "phi-normalized": ("Phi", dict(qk_layernorm=True, num_key_value_heads=3), None),
    "starcoder2-tiny": ("Starcoder2", dict(sliding_window=None), "starcoder2"),
    "starcoder2-windows": ("Starcoder2", dict(sliding_window=6, use_bias=False, tie_word_embeddings=False), None),
    "nemotron-tiny": ("Nemotron", dict(), "nemotron"),
    "falcon-tiny": ("Falcon", dict(new_decoder_architecture=True, num_kv_heads=1, ffn_hidden_size=14), "falcon"),
    "falcon-multi-query": ("Falcon", dict(ffn_hidden_size=14, tie_word_embeddings=False), "falcon"),
    # transformers' eager attention adds the slopes twice.
    "falcon-alibi": ("Falcon", dict(attn_implementation="sdpa", alibi=True, multi_query=False, parallel_attn=False, bias=True, ffn_hidden_size=14), None),
    "olmo-tiny": ("Olmo", dict(clip_qkv=1.5), "olmo"),
    "apertus-tiny": ("Apertus", dict(head_dim=10), None),
    "mpt-tiny": ("Mpt", dict(max_seq_len=64, expansion_ratio=4), "mpt"),
}
# Those whose files are there in transformers' own layout too, with all experts in a tensor.
fused = ["mixtral-tiny", "qwen3-moe-tiny", "granitemoe-tiny", "gpt-neox-tiny"]
for family_name, (family_kind, family_keys, _) in families.items():
    family_config = getattr(transformers, family_kind + "Config")
    family_class = getattr(transformers, family_kind + "ForCausalLM", None) or getattr(transformers, family_kind + "LMHeadModel")
    models[family_name] = (family_class, family_config(**{**odd, **family_keys}))


def short(name):
    return name.removeprefix("base_model.model.").replace(".default", "")


for index, (name, (kind, config)) in enumerate(models.items()):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    is_family = name in families
    torch.manual_seed(zlib.crc32(name.encode()) if is_family else index)
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    model = kind(config).float().eval()
    # Scores that grow with the position and squared activations are sharp, and magnify rounding.
    randomise(model, 0.3 if name in ("ministral3-tiny", "nemotron-tiny") else 0.4)
    model.save_pretrained(folder, max_shard_size="20KB" if name == "llama-tiny" else "5GB")
    if name in fused:
        model.save_pretrained(folder / "fused", save_original_format=False)
        (folder / "fused/generation_config.json").unlink()
    if is_family and families[name][2]:
        write_gguf(model, families[name][2], folder / "model.gguf")
    vocabulary, lengths = model.config.vocab_size, (5, 13, 27) if is_family else (5, 13, 21)
    sequences = [torch.randint(3, vocabulary, (length,)) for length in lengths]
    labels = []
    for index, sequence in enumerate(sequences):
        label = sequence.clone()
        label[: index + 1] = -100
        label[-2] = -100
        labels.append(label)
    tensors = {}
    continuations = []
    with torch.no_grad():
        for index, sequence in enumerate(sequences):
            tensors[f"logits.{index}"] = logits(model, sequence).contiguous()
            tokens = sequence.clone()
            for _ in range(12):
                tokens = torch.cat([tokens, logits(model, tokens)[-1].argmax()[None]])
            continuations.append(tokens[len(sequence):].tolist())
    targets = (["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
               if name != "llama-untied" else ["q_proj", "v_proj"])
    if is_family:
        targets = "all-linear"
    adapted = adapt(model, targets, rank=2 if is_family else 4)
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_B" in parameter_name:
            parameter.data.normal_(0, 0.2)
    adapted.peft_config["default"].target_modules = sorted(adapted.peft_config["default"].target_modules)
    if adapted.peft_config["default"].target_parameters:
        adapted.peft_config["default"].target_parameters = sorted(adapted.peft_config["default"].target_parameters)
    adapted.save_pretrained(folder / "adapter")
    total, count = 0, 0
    for index, (sequence, label) in enumerate(zip(sequences, labels)):
        values = logits(adapted, sequence)
        tensors[f"adapted_logits.{index}"] = values.detach().contiguous()
        total = total + torch.nn.functional.cross_entropy(values[:-1], label[1:], reduction="sum")
        count += int((label[1:] != -100).sum())
    (total / count).backward()
    for parameter_name, parameter in adapted.named_parameters():
        if parameter.grad is not None:
            tensors["gradient." + short(parameter_name)] = parameter.grad.clone()
            parameter.grad = None
    examples, steps = trajectory(adapted)
    for parameter_name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            tensors["final." + short(parameter_name)] = parameter.detach().clone()
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps({
        "sequences": [s.tolist() for s in sequences], "labels": [l.tolist() for l in labels],
        "loss": (total / count).item(), "labelCount": count, "continuations": continuations,
        "examples": examples, "steps": steps}))
    (folder / "adapter/README.md").unlink(missing_ok=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
