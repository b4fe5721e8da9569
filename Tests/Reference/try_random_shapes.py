"""Tries a family with random shapes: tiny models of transformers with whatever their configuration allows, computed here and there.

    pip install torch transformers peft gguf
    python Tests/Reference/try_random_shapes.py [--family qwen3]... [--seed N] [--count N] [--keep FOLDER]
    python Tests/Reference/try_random_shapes.py [--family qwen3]... --published

Each model has random sizes, biases, windows, rotary scalings and experts. Written to a folder, with a LoRA adapter of PEFT and for
some a GGUF file, it is read by the tests' `RandomShapeTests`, which writes how far logits, gradients and greedy continuations are
from transformers'. Build the tests first (`scripts/test` or `swift build --build-tests`).

`--published` takes the widths that transformers has by default, which are those of a published model, with one layer, few words and
at most eight experts. Such a model takes up to 3 GB, one at a time.

Some shapes magnify rounding: sharp attention, for example. How far transformers itself in float32 is from its own results in float64
is measured too, and three times that is allowed where it is more than the tolerance.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file

from gguf_models import write_gguf
from random_models import adapt, randomise
from trainer_steps import logits

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.filterwarnings("ignore")
root = pathlib.Path(__file__).resolve().parents[2]


class Draw:
    """Random choices. What is drawn for a seed does not depend on the hash of a text."""
    def __init__(self, family, seed):
        self.random = random.Random(f"{family} {seed}")

    def of(self, *values):
        return self.random.choice(values)

    def maybe(self, chance=0.5):
        return self.random.random() < chance

    def some(self, **values):
        """Some of the keys, each with one of its values."""
        return {key: self.of(*choices) for key, choices in values.items() if self.maybe(0.6)}


def sizes(d, head_dim=True, groups=True, even=True, odd_hidden=True):
    heads = d.of(1, 2, 3, 4, 5, 6)
    keys = d.of(*[n for n in range(1, heads + 1) if heads % n == 0]) if groups else heads
    dimension = d.of(4, 6, 8, 10, 12, 16) if even else d.of(3, 5, 8)
    hidden = d.of(12, 20, 28, 40) if head_dim and odd_hidden else heads * dimension
    found = dict(vocab_size=d.of(31, 47, 64, 97), hidden_size=hidden, intermediate_size=d.of(9, 14, 24, 33),
                 num_attention_heads=heads, num_key_value_heads=keys, num_hidden_layers=d.of(1, 2, 3, 4),
                 max_position_embeddings=d.of(32, 64, 100), tie_word_embeddings=d.maybe(), pad_token_id=0, bos_token_id=1,
                 eos_token_id=2, attn_implementation="eager")
    if head_dim:
        found["head_dim"] = dimension
    return found


def dimension_of(c):
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


def rope(d, c, kinds=("default", "linear", "dynamic", "yarn", "llama3", "longrope"), shares=(), dimension=None):
    kind = d.of("default", *kinds)
    parameters = {"rope_type": kind, "rope_theta": d.of(1e4, 5e5, 123.0)}
    share = 1.0
    if shares and d.maybe(0.7):
        share = parameters["partial_rotary_factor"] = d.of(*shares)
    rotated = int((dimension or dimension_of(c)) * share)
    if rotated % 2 or not rotated:  # angles belong to pairs
        del parameters["partial_rotary_factor"]
        rotated = dimension or dimension_of(c)
    original = d.of(8, 16, 24)
    if kind in ("linear", "dynamic", "yarn", "llama3"):
        parameters["factor"] = d.of(1.5, 4.0, 8.0)
    if kind in ("yarn", "llama3", "longrope"):
        parameters["original_max_position_embeddings"] = original
    if kind == "yarn":
        parameters |= d.some(beta_fast=(32.0, 16.0), beta_slow=(1.0, 2.0), truncate=(True, False))
        parameters |= d.of({}, {"attention_factor": 1.3}, {"mscale": 0.7, "mscale_all_dim": 1.0}, {"mscale": 1.0})
    if kind == "llama3":
        parameters |= {"low_freq_factor": d.of(1.0, 0.5), "high_freq_factor": d.of(4.0, 2.0)}
    if kind == "longrope":
        parameters |= {name: [d.random.uniform(1, 4) for _ in range(rotated // 2)] for name in ("short_factor", "long_factor")}
        parameters |= d.of({}, {"attention_factor": 1.2}, {"factor": 3.0})
    return parameters


def nested(parameters):
    """For layers of one kind, of which transformers does not look at `truncate`."""
    return {key: value for key, value in parameters.items() if key != "truncate"}


def kinds_of_layers(d, c):
    return [d.of("sliding_attention", "full_attention") for _ in range(c["num_hidden_layers"])]


def experts(d, count="num_experts", size="moe_intermediate_size"):
    number = d.of(2, 3, 5, 8)
    found = {count: number, "num_experts_per_tok": d.random.randint(1, number), "experts_implementation": "eager"}
    if size:
        found[size] = d.of(6, 10, 15)
    return found


def with_rope(d, c, **options):
    return c | {"rope_parameters": rope(d, c, **options)}


def llama(d):
    c = sizes(d)
    return with_rope(d, c, shares=()) | d.some(attention_bias=(True,), mlp_bias=(True,), rms_norm_eps=(1e-5, 1e-3))


def gemma(d):
    c = sizes(d)
    return with_rope(d, c) | d.some(attention_bias=(True,)) | {"tie_word_embeddings": True}


def gemma2(d):
    c = sizes(d)
    return with_rope(d, c) | {"sliding_window": d.of(2, 5, 9, 64), "query_pre_attn_scalar": d.of(3, 12), "tie_word_embeddings": True,
                              "attn_logit_softcapping": d.of(None, 2.0, 30.0), "final_logit_softcapping": d.of(None, 3.0),
                              "layer_types": kinds_of_layers(d, c)} | d.some(attention_bias=(True,))


def gemma3(d):
    c = sizes(d)
    return c | {"sliding_window": d.of(2, 5, 9, 64), "query_pre_attn_scalar": d.of(3, 12), "layer_types": kinds_of_layers(d, c),
                "tie_word_embeddings": True,
                "rope_parameters": {"full_attention": nested(rope(d, c)), "sliding_attention": rope(d, c, kinds=("default",))}
                } | d.some(attention_bias=(True,), final_logit_softcapping=(3.0,))


def windows(d, c):
    return d.of({}, {"use_sliding_window": True, "sliding_window": d.of(2, 5, 9), "max_window_layers": d.of(0, 1, 2)},
                {"use_sliding_window": True, "sliding_window": d.of(3, 8), "layer_types": kinds_of_layers(d, c)})


def qwen2(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | windows(d, c)


def qwen3(d):
    c = sizes(d)
    return with_rope(d, c) | windows(d, c) | d.some(attention_bias=(True,))


def mistral(d):
    c = sizes(d)
    return with_rope(d, c) | {"sliding_window": d.of(None, 2, 7, 64)}


def ministral(d):
    c = sizes(d)
    return with_rope(d, c) | {"sliding_window": d.of(2, 7, 64), "layer_types": kinds_of_layers(d, c)}


def ministral3(d):
    c = sizes(d)
    parameters = rope(d, c, kinds=("yarn", "linear", "llama3"))
    parameters |= {"llama_4_scaling_beta": d.of(0.1, 0.3), "original_max_position_embeddings": d.of(8, 16)}
    return c | {"rope_parameters": parameters, "sliding_window": d.of(None, 7)}


def phi3(d):
    c = sizes(d, head_dim=False)
    return c | {"rope_parameters": rope(d, c, kinds=("longrope",), shares=(0.5, 1.0)), "sliding_window": d.of(None, 5, 64),
                "original_max_position_embeddings": d.of(12, 24), "resid_pdrop": 0.0, "embd_pdrop": 0.0}


def olmo2(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | d.some(attention_bias=(True,))


def olmo3(d):
    c = sizes(d, head_dim=False)
    types = kinds_of_layers(d, c)
    return c | {"layer_types": types, "sliding_window": d.of(2, 7, 64),
                "rope_parameters": {"full_attention": nested(rope(d, c, kinds=("yarn",))),
                                    "sliding_attention": rope(d, c, kinds=("default",))}} | d.some(attention_bias=(True,))


def scales(d):
    return {"embedding_multiplier": d.of(1.0, 3.0), "logits_scaling": d.of(1.0, 2.5), "residual_multiplier": d.of(1.0, 0.3),
            "attention_multiplier": d.of(1.0, 0.2)}


def granite(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | scales(d) | d.some(attention_bias=(True,), mlp_bias=(True,))


def smollm3(d):
    c = sizes(d, head_dim=False)
    c |= d.of({"no_rope_layers": [d.of(0, 1) for _ in range(c["num_hidden_layers"])]}, {"no_rope_layer_interval": d.of(2, 3)}, {})
    return with_rope(d, c) | d.some(attention_bias=(True,), mlp_bias=(True,)) | d.of(
        {}, {"use_sliding_window": True, "sliding_window": 5, "layer_types": kinds_of_layers(d, c)})


def glm(d):
    c = sizes(d)
    c["head_dim"] = d.of(8, 16)
    return with_rope(d, c, shares=(0.5, 0.25, 1.0)) | d.some(attention_bias=(True,))


def cohere(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | {"logit_scale": d.of(0.0625, 0.3, 1.0)} | d.some(use_qk_norm=(True,), attention_bias=(True,))


def cohere2(d):
    c = sizes(d)
    return with_rope(d, c) | {"logit_scale": d.of(0.0625, 0.3), "sliding_window": d.of(2, 7, 64)} | d.some(
        attention_bias=(True,)) | d.of({}, {"layer_types": kinds_of_layers(d, c)})


def stablelm(d):
    c = sizes(d, head_dim=False)
    c["hidden_size"] = c["num_attention_heads"] * d.of(8, 16)
    return with_rope(d, c, shares=(0.25, 0.5, 1.0)) | d.some(
        use_qkv_bias=(True,), use_parallel_residual=(True,), qk_layernorm=(True,)) | {"hidden_dropout": 0.0}


def exaone4(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | d.of(
        {"sliding_window": None, "layer_types": ["full_attention"] * c["num_hidden_layers"]},
        {"sliding_window": d.of(3, 9), "sliding_window_pattern": d.of(2, 4)},
        {"sliding_window": d.of(3, 9), "layer_types": kinds_of_layers(d, c)})


def seed_oss(d):
    c = sizes(d)
    return with_rope(d, c) | {"attention_dropout": 0.0, "residual_dropout": 0.0} | d.some(
        attention_bias=(True, False), attention_out_bias=(True, False), mlp_bias=(True,))


def arcee(d):
    c = sizes(d, odd_hidden=False)
    return with_rope(d, c) | d.some(attention_bias=(True,), mlp_bias=(True,))


def ernie(d):
    c = sizes(d)
    return with_rope(d, c) | d.some(use_bias=(True,))


def hunyuan(d):
    c = sizes(d)
    parameters = rope(d, c, kinds=("linear", "yarn")) if d.maybe() else {
        "rope_type": "dynamic", "rope_theta": 1e4, "alpha": d.of(50.0, 1000.0), "factor": 1.0}
    return c | {"rope_parameters": parameters} | d.some(attention_bias=(True,))


def helium(d):
    c = sizes(d, odd_hidden=False)
    return with_rope(d, c) | d.some(attention_bias=(True,), mlp_bias=(True,))


def mixtral(d):
    return with_rope(d, sizes(d)) | experts(d, "num_local_experts", None) | {"sliding_window": d.of(None, 5)}


def qwen2_moe(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | windows(d, c) | experts(d) | {"shared_expert_intermediate_size": d.of(6, 12)} | sparse(d, c) | d.some(
        norm_topk_prob=(True, False), qkv_bias=(False,))


def sparse(d, c):
    return d.of({}, {"decoder_sparse_step": d.of(1, 2, 3)}, {"mlp_only_layers": [d.random.randrange(c["num_hidden_layers"])]})


def qwen3_moe(d):
    c = sizes(d)
    return with_rope(d, c) | windows(d, c) | experts(d) | sparse(d, c) | d.some(norm_topk_prob=(True,), attention_bias=(True,))


def olmoe(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | experts(d, size=None) | d.some(norm_topk_prob=(True,), clip_qkv=(0.7, 2.0), attention_bias=(True,))


def granite_moe(d):
    return with_rope(d, sizes(d, head_dim=False)) | experts(d, "num_local_experts", None) | scales(d) | d.some(
        attention_bias=(True,))


def granite_hybrid(d):
    c = sizes(d, head_dim=False)
    c["hidden_size"] = c["num_attention_heads"] * d.of(4, 8, 12)
    kind = d.of(experts(d, "num_local_experts", None), {"num_local_experts": 0, "num_experts_per_tok": 0})
    heads = next(n for n in (8, 4, 2, 1) if 2 * c["hidden_size"] % n == 0)
    return with_rope(d, c) | kind | scales(d) | {
        "shared_intermediate_size": d.of(6, 12), "mamba_n_heads": heads, "layer_types": ["full_attention"] * c["num_hidden_layers"],
    } | d.some(position_embedding_type=("rope",), attention_bias=(True,))


def phi_moe(d):
    c = sizes(d, head_dim=False)
    number = d.of(2, 3, 5)
    return c | {"rope_parameters": rope(d, c, kinds=())} | {
        "num_local_experts": number, "num_experts_per_tok": 2, "experts_implementation": "eager",
        "router_jitter_noise": d.of(0.01, 0.2), "sliding_window": d.of(None, 5)} | d.some(
        attention_bias=(True,), lm_head_bias=(True,))


def glm4_moe(d):
    c = sizes(d)
    c["head_dim"] = d.of(8, 16)
    groups = d.of(1, 2, 3)
    number = groups * d.of(2, 3)
    chosen = d.of(1, groups)
    return with_rope(d, c, shares=(0.5, 1.0)) | {
        "moe_intermediate_size": d.of(6, 10), "n_routed_experts": number, "n_shared_experts": d.of(1, 2), "n_group": groups,
        "topk_group": chosen, "num_experts_per_tok": d.random.randint(1, max(1, chosen * number // groups)),
        "first_k_dense_replace": d.of(0, 1, 2), "num_mtp_layers": 0, "experts_implementation": "eager",
        "norm_topk_prob": d.maybe(), "routed_scaling_factor": d.of(1.0, 1.7), "use_qk_norm": d.maybe()} | d.some(
        attention_bias=(True,))


def gpt_oss(d):
    c = sizes(d)
    return with_rope(d, c, kinds=("yarn", "linear")) | experts(d, "num_local_experts", None) | {
        "sliding_window": d.of(2, 7, 64), "layer_types": kinds_of_layers(d, c)} | d.some(attention_bias=(False,))


def gpt_neox(d):
    c = sizes(d, head_dim=False, groups=False)
    c["hidden_size"] = c["num_attention_heads"] * d.of(8, 16)
    return with_rope(d, c, kinds=("linear", "dynamic", "yarn"), shares=(0.25, 0.5, 1.0)) | {
        "hidden_dropout": 0.0, "attention_dropout": 0.0, "hidden_act": d.of("gelu", "gelu_new")} | d.some(
        use_parallel_residual=(False,), attention_bias=(False,))


nodrop = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)


def gpt2(d):
    c = sizes(d, head_dim=False, groups=False, even=False)
    return c | nodrop | {"n_inner": d.of(None, 14), "activation_function": d.of("gelu_new", "gelu")} | d.some(
        scale_attn_by_inverse_layer_idx=(True,), scale_attn_weights=(False,))


def phi(d):
    c = sizes(d, head_dim=False)
    c["hidden_size"] = c["num_attention_heads"] * d.of(8, 16)
    return with_rope(d, c, kinds=("linear", "dynamic"), shares=(0.5, 0.25, 1.0)) | d.some(qk_layernorm=(True,)) | {
        "resid_pdrop": 0.0, "embd_pdrop": 0.0, "tie_word_embeddings": False}


def starcoder2(d):
    c = sizes(d, head_dim=False)
    return with_rope(d, c) | {"sliding_window": d.of(None, 5, 64), "residual_dropout": 0.0, "embedding_dropout": 0.0} | d.some(
        use_bias=(False,))


def nemotron(d):
    c = sizes(d)
    return with_rope(d, c, kinds=("linear",), shares=(0.5, 1.0)) | d.some(attention_bias=(True,), mlp_bias=(True,))


def falcon(d):
    c = sizes(d, head_dim=False)
    form = d.of(
        {"new_decoder_architecture": True, "num_kv_heads": c["num_key_value_heads"]} | d.some(num_ln_in_parallel_attn=(1, 2)),
        {"multi_query": d.maybe(), "parallel_attn": d.maybe()},
        {"alibi": True, "multi_query": False, "parallel_attn": d.maybe()})
    del c["num_key_value_heads"]
    form |= {} if form.get("alibi") else {"rope_parameters": rope(d, c, kinds=("linear", "dynamic"))}
    return c | form | {"ffn_hidden_size": d.of(14, 24), "attn_implementation": "sdpa"} | d.some(bias=(True,))


def olmo(d):
    return with_rope(d, sizes(d, head_dim=False)) | d.some(clip_qkv=(0.7, 2.0), attention_bias=(True,))


def apertus(d):
    return with_rope(d, sizes(d)) | d.some(attention_bias=(True,))


def mpt(d):
    heads, dimension = d.of(1, 2, 3, 4, 6), d.of(4, 6, 8)
    return dict(vocab_size=d.of(31, 47), d_model=heads * dimension, n_heads=heads, n_layers=d.of(1, 2, 3), max_seq_len=64,
                expansion_ratio=4, attn_config=d.some(clip_qkv=(1.0,), alibi_bias_max=(8,), softmax_scale=(0.3,)),
                tie_word_embeddings=True)


# model_type: class, configuration, general.architecture in GGUF files.
families = {
    "llama": ("Llama", llama, "llama"), "gemma": ("Gemma", gemma, "gemma"), "gemma2": ("Gemma2", gemma2, None),
    "gemma3_text": ("Gemma3", gemma3, None), "qwen2": ("Qwen2", qwen2, "qwen2"), "qwen3": ("Qwen3", qwen3, "qwen3"),
    "mistral": ("Mistral", mistral, None), "ministral": ("Ministral", ministral, None),
    "ministral3": ("Ministral3", ministral3, None), "phi3": ("Phi3", phi3, "phi3"), "olmo2": ("Olmo2", olmo2, "olmo2"),
    "olmo3": ("Olmo3", olmo3, None), "granite": ("Granite", granite, "granite"), "smollm3": ("SmolLM3", smollm3, None),
    "glm": ("Glm", glm, None), "glm4": ("Glm4", glm, None), "cohere": ("Cohere", cohere, None),
    "cohere2": ("Cohere2", cohere2, None), "stablelm": ("StableLm", stablelm, "stablelm"),
    "exaone4": ("Exaone4", exaone4, None), "seed_oss": ("SeedOss", seed_oss, "seed_oss"), "arcee": ("Arcee", arcee, "arcee"),
    "ernie4_5": ("Ernie4_5", ernie, "ernie4_5"), "hunyuan_v1_dense": ("HunYuanDenseV1", hunyuan, "hunyuan-dense"),
    "helium": ("Helium", helium, None), "mixtral": ("Mixtral", mixtral, "llama"), "qwen2_moe": ("Qwen2Moe", qwen2_moe, None),
    "qwen3_moe": ("Qwen3Moe", qwen3_moe, None), "olmoe": ("Olmoe", olmoe, None), "granitemoe": ("GraniteMoe", granite_moe, "granitemoe"),
    "granitemoehybrid": ("GraniteMoeHybrid", granite_hybrid, None), "phimoe": ("Phimoe", phi_moe, None),
    "glm4_moe": ("Glm4Moe", glm4_moe, None), "gpt_oss": ("GptOss", gpt_oss, None), "gpt_neox": ("GPTNeoX", gpt_neox, None),
    "gpt2": ("GPT2", gpt2, "gpt2"), "phi": ("Phi", phi, None), "starcoder2": ("Starcoder2", starcoder2, None),
    "nemotron": ("Nemotron", nemotron, "nemotron"), "falcon": ("Falcon", falcon, None), "olmo": ("Olmo", olmo, None),
    "apertus": ("Apertus", apertus, None), "mpt": ("Mpt", mpt, None),
}


def in_gguf(config):
    """Whether the writer of GGUF files here knows all of a configuration."""
    if config.model_type == "gpt2" and (config.scale_attn_by_inverse_layer_idx or not config.scale_attn_weights
                                        or config.activation_function != "gelu_new"):
        return False
    parameters = getattr(config, "rope_parameters", None) or {}
    return (parameters.get("rope_type", "default") in ("default", "linear") and not getattr(config, "sliding_window", None)
            and not getattr(config, "qk_layernorm", False))


def published(config):
    """A layer of a published model's widths."""
    cut = {"vocab_size": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "attn_implementation": "eager",
           "experts_implementation": "eager", "max_position_embeddings": 128}
    cut |= {name: 1 for name in ("num_hidden_layers", "n_layers", "n_layer") if hasattr(config, name)}
    cut |= {name: min(8, getattr(config, name)) for name in ("num_experts", "num_local_experts", "n_routed_experts")
            if getattr(config, name, None)}
    cut |= {name: 0.0 for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout", "residual_dropout",
                                   "hidden_dropout", "embedding_dropout") if hasattr(config, name)}
    if config.model_type == "granitemoehybrid":
        cut["layer_types"] = ["full_attention"]
    if config.model_type == "glm4_moe":
        cut |= {"first_k_dense_replace": 0, "num_mtp_layers": 0}
    if config.model_type == "falcon":
        cut["attn_implementation"] = "sdpa"
    return {name: value for name, value in cut.items() if hasattr(config, name) or name.endswith("_implementation")}


def make(family, seed, folder):
    kind, configuration, architecture = families[family]
    name = kind + ("TextConfig" if kind == "Gemma3" else "Config")
    try:
        default = getattr(transformers, name)
        config = default(**(published(default()) if arguments.published else configuration(Draw(family, seed))))
        transformers.set_seed(seed)
        cls = getattr(transformers, kind + "ForCausalLM", None) or getattr(transformers, kind + "LMHeadModel")
        model = cls(config).float().eval()
        randomise(model, 0.02 if arguments.published else 0.3)
        generator = torch.Generator().manual_seed(seed)
        sequences = [torch.randint(3, config.vocab_size, (length,), generator=generator) for length in (1, 7, 19, 31)]
        tensors = {}
        with torch.no_grad():
            for index, sequence in enumerate(sequences):
                tensors[f"logits.{index}"] = logits(model, sequence).contiguous()
            tokens = sequences[1].clone()
            for _ in range(10):
                tokens = torch.cat([tokens, logits(model, tokens)[-1].argmax()[None]])
    except Exception as error:
        print(f"{family} {seed}: transformers refuses it: {str(error)[:150]}")
        return False
    model.save_pretrained(folder)
    note = ""
    if architecture and in_gguf(config) and not arguments.published:
        try:
            write_gguf(model, architecture, folder / "model.gguf")
        except Exception as error:
            note = f"no GGUF: {str(error)[:80]}"
            (folder / "model.gguf").unlink(missing_ok=True)
    try:
        adapted = adapt(model, "all-linear", 2)
    except Exception as error:
        adapted = None
        note += f" no adapter: {str(error)[:80]}"
    if adapted:
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(0, 0.2)
        adapted.save_pretrained(folder / "adapter")
        tensors |= gradients(adapted, sequences)
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps({
        "sequences": [s.tolist() for s in sequences], "continuation": tokens[len(sequences[1]):].tolist(), "note": note,
        "labelCount": sum(len(s) - 1 for s in sequences[1:]), "own": own_errors(adapted or model, sequences, tensors)}))
    return True


def gradients(adapted, sequences):
    adapted.zero_grad()
    total = sum(torch.nn.functional.cross_entropy(logits(adapted, s)[:-1], s[1:], reduction="sum") for s in sequences[1:])
    (total / sum(len(s) - 1 for s in sequences[1:])).backward()
    return {"gradient." + name.removeprefix("base_model.model.").replace(".default", ""): parameter.grad.clone()
            for name, parameter in adapted.named_parameters() if parameter.grad is not None}


def own_errors(model, sequences, tensors):
    """How far transformers' float32 is from its float64: of logits, and of gradients."""
    if arguments.published:  # too large
        return [0.0, 0.0]
    try:
        model = model.double()
        exact = gradients(model, sequences) if hasattr(model, "disable_adapter") else {}
        with torch.no_grad(), model.disable_adapter() if exact else contextlib.nullcontext():
            exact |= {f"logits.{index}": logits(model, s) for index, s in enumerate(sequences)}
    except RuntimeError:
        return [0.0, 0.0]
    largest = max([v.norm().item() for k, v in exact.items() if k.startswith("gradient")] or [0.0])

    def error(key):
        floor = 1e-4 * largest if key.startswith("gradient") else 1e-30
        return ((tensors[key].double() - exact[key]).norm() / max(exact[key].norm().item(), floor, 1e-30)).item()
    return [max([error(key) for key in exact if key.startswith(kind)] or [0.0]) for kind in ("logits", "gradient")]


parser = argparse.ArgumentParser()
parser.add_argument("--family", action="append", choices=families)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--count", type=int, default=3)
parser.add_argument("--keep")
parser.add_argument("--published", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(1)


def compare(folder, worst):
    """Has the tests look at the models of a folder. Returns whether any is off."""
    results = folder / "results.tsv"
    results.unlink(missing_ok=True)
    flags = os.environ.get("MENO_SWIFT_TEST", "swift test --skip-build").split()
    subprocess.run([*flags, "--filter", "RandomShapeTests"], cwd=root, check=True, stdout=subprocess.DEVNULL,
                   env=os.environ | {"MENO_RANDOM_MODELS": str(folder)})
    is_off = False
    for line in results.read_text().splitlines():
        name, *fields = line.split("\t")
        if fields[0] == "refused":
            print(f"{name}: refused: {fields[1]}")
            is_off = True
            continue
        in_folder, file, gradient, continuation = fields
        own = json.loads((folder / name / "expected.json").read_text())["own"]
        allowed, allowed_gradient = max(1e-5, 3 * own[0]), max(1e-4, 3 * own[1])
        is_wrong = (float(in_folder) > allowed or float(gradient) > allowed_gradient or (file != "-" and float(file) > allowed)
                    or continuation != "equal")
        family = name.rsplit("-", 1)[0]
        worst[family] = [max(a, 0.0 if b == "-" else float(b)) for a, b in
                         zip(worst.get(family, [0, 0, 0]), (in_folder, file, gradient))]
        if is_wrong:
            print(f"{name}: logits {in_folder}, GGUF {file}, gradients {gradient}, continuation {continuation}; "
                  f"transformers itself {own[0]:.1e}, {own[1]:.1e}", flush=True)
            is_off = True
    return is_off


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(arguments.keep or temporary)
    made, is_off, worst = 0, False, {}
    for family in arguments.family or families:
        for seed in range(arguments.seed, arguments.seed + (1 if arguments.published else arguments.count)):
            place = folder / f"{family}-{seed}"
            place.mkdir(parents=True, exist_ok=True)
            made += make(family, seed, place)
            if arguments.published:
                is_off |= compare(folder, worst)
                shutil.rmtree(place)
                if family in worst:
                    print(f"{family:18} logits {worst[family][0]:.1e}  gradients {worst[family][2]:.1e}", flush=True)
    if not arguments.published:
        is_off = compare(folder, worst)
        for family, (in_folder, file, gradient) in worst.items():
            print(f"{family:18} logits {in_folder:.1e}  GGUF {file:.1e}  gradients {gradient:.1e}")
    print(f"{made} models")
sys.exit(is_off)
