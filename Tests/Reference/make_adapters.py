"""Adapters with everything that PEFT's LoraConfig offers and Meno reads, and a checkpoint of Trainer:
fixtures/adapters/*.

    python Tests/Reference/make_adapters.py        (after make_models.py)
"""
import json
import pathlib
import shutil
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

fixtures = pathlib.Path(__file__).parent / "fixtures"
out = fixtures / "adapters"
shutil.rmtree(out, ignore_errors=True)
kinds = {
    "dora": ("llama-tiny", dict(use_dora=True, target_modules=["q_proj", "down_proj"])),
    "patterns": ("llama-tiny", dict(
        target_modules="all-linear", layers_to_transform=[0, 2],
        rank_pattern={"v_proj": 2, "layers.2.mlp.up_proj": 8}, alpha_pattern={"o_proj": 5, "v_proj": 3.5}, use_rslora=True)),
    "modules-untied": ("llama-untied", dict(target_modules=["q_proj"], modules_to_save=["lm_head", "embed_tokens", "norm"])),
}
torch.manual_seed(0)
sequences = [torch.randint(3, 96, (length,)) for length in (5, 13)]
for name, (base, options) in kinds.items():
    model = AutoModelForCausalLM.from_pretrained(fixtures / "models" / base, dtype=torch.float32)
    options = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM", **options}
    layers = options.pop("layers_to_transform", None)
    if layers is not None:  # PEFT takes layers only with a list of modules
        options["target_modules"] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        options["layers_to_transform"] = layers
    model.name_or_path = base  # no path of this machine in adapter_config.json
    adapted = get_peft_model(model, LoraConfig(**options))
    for parameter_name, parameter in adapted.named_parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.2
    folder = out / name
    adapted.save_pretrained(folder)
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
            tensors["gradient." + short.removesuffix(".weight" if "magnitude" in short else "")] = parameter.grad.clone()
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(
        {"base": base, "sequences": [s.tolist() for s in sequences], "loss": (total / count).item()}))
    (folder / "README.md").unlink(missing_ok=True)

model = AutoModelForCausalLM.from_pretrained(fixtures / "models/llama-untied", dtype=torch.float32)
model.name_or_path = "llama-untied"
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
with tempfile.TemporaryDirectory() as folder:
    Trainer(model=model, train_dataset=[{"input_ids": sequences[1], "labels": sequences[1]}] * 8, args=TrainingArguments(
        output_dir=folder, max_steps=6, per_device_train_batch_size=2, save_steps=3, logging_steps=1, report_to=[],
        use_cpu=True, learning_rate=1e-2, disable_tqdm=True)).train()
    checkpoint = out / "trainer/checkpoint-3"
    checkpoint.mkdir(parents=True)
    for name in ["adapter_model.safetensors", "adapter_config.json", "trainer_state.json"]:
        shutil.copy(pathlib.Path(folder) / "checkpoint-3" / name, checkpoint / name)
