"""Adapters in forms that PEFT gives them beside the plain one: fixtures/adapters/{excluded,mlp,tied,untied-copies,resized,
saved-embeddings,defaults}.

    python Tests/Reference/make_adapter_forms.py        (after make_models.py)

Where an adapter can be loaded, logits and gradients are PEFT's; the others are to be refused with the reason.
"""
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

fixtures = pathlib.Path(__file__).parent / "fixtures"
out = fixtures / "adapters"
modules = {
    "excluded": ("llama-tiny", dict(target_modules=["q_proj", "down_proj"], exclude_modules=["layers.1.mlp.down_proj"])),
    "excluded-pattern": ("llama-tiny", dict(target_modules="all-linear", exclude_modules=r".*layers\.[01]\..*|.*mlp.*")),
    "mlp": ("llama-tiny", dict(target_modules="all-linear", modules_to_save=["layers.1.mlp"])),
    "tied": ("llama-tiny", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens"], ensure_weight_tying=True)),
    # What PEFT does unless it is asked to tie them: copies, that go apart.
    "untied-copies": ("llama-tiny", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"])),
    "resized": ("llama-tiny", dict(target_modules=["q_proj"])),
    "saved-embeddings": ("llama-untied", dict(target_modules=["q_proj"])),
}
sequences = [torch.randint(3, 96, (length,), generator=torch.Generator().manual_seed(1)) for length in (5, 13)]
for seed, (name, (base, options)) in enumerate(modules.items()):
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(fixtures / "models" / base, dtype=torch.float32)
    model.name_or_path = base  # no path of this machine in adapter_config.json
    if name == "resized":
        model.resize_token_embeddings(model.config.vocab_size + 2)
    adapted = get_peft_model(model, LoraConfig(r=2, lora_alpha=4, task_type="CAUSAL_LM", **options))
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.2
    if name == "saved-embeddings":
        for layer in (adapted.get_input_embeddings(), adapted.get_output_embeddings()):
            layer.weight.data += torch.randn_like(layer.weight) * 0.2
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    adapted.save_pretrained(folder, save_embedding_layers=True if name in ("resized", "saved-embeddings") else "auto")
    (folder / "README.md").unlink(missing_ok=True)
    if name in ("untied-copies", "resized"):
        continue
    tensors, total, count = {}, 0, 0
    for index, sequence in enumerate(sequences):
        logits = adapted(sequence[None]).logits[0]
        tensors[f"logits.{index}"] = logits.detach().contiguous()
        total = total + torch.nn.functional.cross_entropy(logits[:-1], sequence[1:], reduction="sum")
        count += len(sequence) - 1
    (total / count).backward()
    for parameter_name, parameter in adapted.named_parameters():
        if parameter.grad is not None:
            short = parameter_name.removeprefix("base_model.model.").replace(".modules_to_save", "").replace(".default", "")
            tensors["gradient." + short] = parameter.grad.clone()
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(
        {"base": base, "sequences": [s.tolist() for s in sequences], "loss": (total / count).item()}))

# Every field of LoraConfig, as PEFT writes it where nothing is said.
defaults = out / "defaults"
shutil.rmtree(defaults, ignore_errors=True)
LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"]).save_pretrained(defaults)
