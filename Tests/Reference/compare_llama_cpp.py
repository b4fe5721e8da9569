"""Asks llama.cpp itself whether the GGUF files of the fixtures mean what transformers computed: the probabilities of the five
likeliest tokens after each sequence. (It looks GELU up in a table in half precision, which is 1e-3 for Gemma.)

    pip install xllamacpp safetensors && python Tests/Reference/compare_llama_cpp.py [NAME]...
"""
import json
import pathlib
import sys

import xllamacpp
from safetensors.torch import load_file

models = pathlib.Path(__file__).parent / "fixtures/models"
for path in sorted(models.glob("*/model.gguf")):
    name = path.parent.name
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 64
    params.warmup = False
    params.verbosity = -1
    params.cpuparams.n_threads = 1
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    server = xllamacpp.Server(params)
    expected = json.loads((path.parent / "expected.json").read_text())
    tensors = load_file(path.parent / "expected.safetensors")
    worst = 0.0
    config = json.loads((path.parent / "config.json").read_text())
    for index, sequence in enumerate(expected["sequences"]):
        # llama.cpp chooses LongRoPE's factors by the size of its context.
        if (config.get("rope_parameters") or {}).get("rope_type") == "longrope":
            if len(sequence) <= config["original_max_position_embeddings"]:
                continue
        # n_probs gives probabilities of the model alone, before sampling.
        result = server.handle_completions({
            "prompt": sequence, "max_tokens": 1, "temperature": 0.0, "logprobs": 5, "n_probs": 5, "cache_prompt": False})
        result = json.loads(result) if isinstance(result, str) else result
        reference = tensors[f"logits.{index}"][-1].double().log_softmax(-1)
        for entry in result["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
            worst = max(worst, abs(entry["logprob"] - reference[entry["id"]].item()))
    print(f"{name:18} {'ok' if worst < 2e-3 else 'DIFFERS'}  worst difference of a log probability {worst:.1e}")
