"""Checks that `AutoPeftModelForCausalLM.from_pretrained` loads every kind of adapter that Meno writes, and computes the same.

    python Tests/Reference/check_peft_loading.py MENO FOLDER

MENO is the program. Tiny models are trained in FOLDER with each setting; the logits of `meno evaluate --logits` and those of
PEFT must be equal within 1e-4. It also trains on from adapters that PEFT wrote (fixtures/adapters), and loads the results.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import warnings

import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoTokenizer

warnings.filterwarnings("ignore")
meno, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
folder.mkdir(parents=True, exist_ok=True)
fixtures = pathlib.Path(__file__).resolve().parent / "fixtures"
kinds = {
    "plain": dict(target_modules=["all-linear"]),
    "dora": dict(target_modules=["q_proj", "down_proj"], use_dora=True),
    "rslora": dict(target_modules=["all-linear"], use_rslora=True),
    "patterns": dict(target_modules=["all-linear"], rank_pattern={"v_proj": 2, "layers.1.mlp.up_proj": 7},
                     alpha_pattern={"o_proj": 5, "v_proj": 3.5}),
    "layers": dict(target_modules=["q_proj", "v_proj"], layers_to_transform=[1]),
    "excluded": dict(target_modules=["all-linear"], exclude_modules=["v_proj", "layers.0.mlp.down_proj"]),
    "dora-rslora-patterns": dict(target_modules=["all-linear"], use_dora=True, use_rslora=True, rank_pattern={"q_proj": 3}),
    "norms": dict(target_modules=["q_proj"], modules_to_save=["norm"]),
    "embedding": dict(target_modules=["q_proj"], modules_to_save=["embed_tokens"]),
    "head": dict(target_modules=["q_proj"], modules_to_save=["lm_head"]),
    "both": dict(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]),
    "mlp": dict(target_modules=["all-linear"], modules_to_save=["mlp"]),
    "one-mlp": dict(target_modules=["all-linear"], modules_to_save=["layers.1.mlp", "norm"]),
}
continued = {"llama-tiny": ["dora", "patterns", "excluded", "excluded-pattern", "mlp", "tied"], "llama-untied": ["modules-untied"]}


def base(name):
    """A tiny model with a tokenizer of single characters."""
    place = folder / name
    if not place.exists():
        shutil.copytree(fixtures / "models" / name, place, ignore=shutil.ignore_patterns("adapter", "expected*"))
        vocabulary = {token: i for i, token in enumerate(
            ["<pad>", "<bos>", "<eos>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ,.?"])}
        added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": True} for t, i in list(vocabulary.items())[:4]]
        (place / "tokenizer.json").write_text(json.dumps(
            {"version": "1.0", "added_tokens": added,
             "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))
        (place / "tokenizer_config.json").write_text(
            '{"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}')
    return place


def check(model, name, lora):
    run, data = folder / f"run-{model}-{name}", folder / "data.jsonl"
    data.write_text("".join(json.dumps({"text": f"what is virtue {c}?"}) + "\n" for c in "abcdefgh"))
    settings = {
        "base_output_dir": str(run), "model": {"name_or_path": str(base(model)), "device": "cpu"},
        "data": {"path": str(data), "max_length": 32, "train_fraction": 0.5},
        "lora": lora if "init_adapter" in lora else {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, **lora},
        "training": {"max_steps": 3, "learning_rate": 0.05, "lr_scheduler_type": "constant", "warmup_ratio": 0.0, "bf16": False,
                     "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1},
        "monitor": {"probes": {"when": "never"}},
    }
    (folder / "run.yaml").write_text(json.dumps(settings))
    subprocess.run([meno, "train", folder / "run.yaml", "--overwrite", "--quiet"], check=True)
    adapter = run / "model"
    (folder / "one.jsonl").write_text('{"text": "socrates asks again"}\n')
    subprocess.run(
        [meno, "evaluate", "--model", base(model), "--adapter", adapter, "--data", folder / "one.jsonl", "--dtype", "float32",
         "--logits", folder / "logits.safetensors"], check=True, capture_output=True)
    # A text ends in EOS; this tokenizer adds no BOS.
    ours = load_file(folder / "logits.safetensors")["logits"]
    theirs_model = AutoPeftModelForCausalLM.from_pretrained(adapter, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    ids = [*tokenizer("socrates asks again").input_ids, tokenizer.eos_token_id]
    with torch.no_grad():
        theirs = theirs_model(torch.tensor([ids])).logits[0]
        theirs_model.disable_adapter_layers()
        plain = theirs_model.get_base_model()(torch.tensor([ids])).logits[0]
    difference = (ours - theirs).abs().max().item()
    change = (theirs - plain).abs().max().item()
    good = difference < 1e-4 and change > 1e-2
    print(f"{model} {name}: {len(load_file(adapter / 'adapter_model.safetensors'))} tensors, largest difference {difference:.2e} "
          f"(the adapter changes logits by {change:.2f}){'' if good else '  WRONG'}", flush=True)
    return good


good = [check(model, name, lora) for model in ["llama-tiny", "gemma3-tiny", "llama-untied"] for name, lora in kinds.items()]
good += [check(model, "from-" + name, {"init_adapter": str(fixtures / "adapters" / name)})
         for model, names in continued.items() for name in names]
print(f"{sum(good)} of {len(good)} are loaded and equal")
sys.exit(not all(good))
